// A plan as a chain of batch jobs for Slurm.
#pragma once

#include "plan/full_plan.h"

namespace stagedtrain::plan {

// Seconds that a job's wall-clock time holds besides training.
struct JobTimes {
  double start = 120;   // until the first step
  double save = 30;     // of the state when it is interrupted
  double margin = 300;  // before the end, when Slurm warns
  double all() const { return start + save + margin; }
};

// Jobs of `wall` seconds for so much training. Throws Error(usage) if nothing is left to train in.
std::int64_t jobs_needed(double seconds, double wall, const JobTimes& times = {});

struct SlurmOptions {
  Path folder;       // for the scripts; the run goes into its folder `run`
  double slice = 0;  // seconds of wall-clock time of every job; 0: one job for each stage
  bool force = false;
  Path work_folder;  // where the jobs run, so that the schedule's paths are found; absolute
  // That trains, absolute; $STAGEDTRAIN names another one when the job runs.
  std::string program = "stagedtrain";
};

struct SlurmFile {
  std::string name, text;
};

// schedule.yaml, the jobs and submit.sh. Throws Error(usage) for slices of a plan without times.
std::vector<SlurmFile> slurm_files(const FullPlan& full, const SlurmOptions& options);

// Writes them, and says in words what to do. Refuses to replace any of them unless force.
std::string write_slurm(const FullPlan& full, const SlurmOptions& options);

}  // namespace stagedtrain::plan
