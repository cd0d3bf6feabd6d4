// How is a plan run as a chain of batch jobs under Slurm?
#pragma once

#include "forecast/full_plan.h"

namespace stagedtrain::plan {

// Seconds of a job's wall-clock time that are not training.
struct JobTimes {
  double start = 120;   // until the first step
  double signal = 300;  // from Slurm's signal to the end of the job
  double all() const { return start + signal; }
};

// Returns the seconds that a job needs from the signal to its end: for a step, for the save that
// may be under way, for one more, and a minute for ending. step_seconds 0: not known.
double signal_seconds(double step_seconds, double save_seconds);

// Returns how many jobs of `wall` seconds of wall-clock time are needed for `seconds` of training.
// Throws Error(usage) if no time is left to train, and for more than 10,000 jobs.
std::int64_t jobs_needed(double seconds, double wall, const JobTimes& times = {});

struct SlurmOptions {
  Path folder;       // for the scripts; the run goes into its subfolder `run`
  double slice = 0;  // seconds of wall-clock time of every job; 0: one job for each stage
  bool force = false;
  Path work_folder;  // the working folder of the jobs, absolute, so that relative paths are found
  // The absolute path of the program that trains. $STAGEDTRAIN overrides it when the job runs.
  std::string program = "stagedtrain";
};

struct SlurmFile {
  std::string name, text;
};

// Returns schedule.yaml, the scripts of the jobs and submit.sh. The jobs are for the processes and
// the sharding of full.cost, and for nodes of schedule.machine. They are signalled early enough for
// saves at machine.disk, or as slow as those in the log of the folder's run. Throws Error(usage) if
// slices are requested and the plan's time is not known, and as jobs_needed() does.
std::vector<SlurmFile> slurm_files(const FullPlan& full, const SlurmOptions& options);

// Writes these files and returns a message with their paths and what to do next. Throws
// Error(usage) rather than replace a file, unless `force`.
std::string write_slurm(const FullPlan& full, const SlurmOptions& options);

}  // namespace stagedtrain::plan
