// Writes the scripts of a chain of Slurm jobs. The same script starts a job's work and continues
// it.
#include "jobs/slurm.h"

#include <algorithm>
#include <cmath>

#include "runlog/run_processes.h"
#include "text/counted.h"
#include "text/shell_word.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr double kSlack = 1.25;  // requested time / planned time, for jobs of whole stages

// Returns HH:MM:SS, rounded up to whole minutes.
std::string wall_text(double seconds) {
  constexpr double kMost = 1e9;  // 30 years, far above the limits of partitions
  const auto minutes = static_cast<std::int64_t>(std::ceil(std::min(seconds, kMost) / 60));
  return fmt::format("{:02}:{:02}:00", minutes / 60, minutes % 60);
}

// Returns a job's name. sbatch and its tools accept letters, digits, '.', '_' and '-'; other
// characters of the schedule's name become '_'.
std::string job_name(const FullPlan& full, const std::string& what) {
  constexpr std::size_t kMost = 64;
  std::string name;
  for (const char c : full.plan.schedule.name) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    if (safe) name += c;
    if (!safe && !name.ends_with('_')) name += '_';
  }
  name.erase(0, std::min(name.find_first_not_of("-._"), name.size()));
  return (name.empty() ? std::string("stagedtrain") : name.substr(0, kMost)) + "-" + what;
}

// The resources that a job requests.
struct Resources {
  double seconds = 0;  // wall-clock time; 0: not known
  double threads = 0;  // for each task; 0: not known
  double signal = 0;   // seconds from the signal to the end
  Cluster cluster;
};

// Nothing is requested for one task, so that the arguments of submit.sh decide.
std::string task_lines(const Cluster& cluster) {
  if (cluster.devices == 1) return "";
  std::string text = fmt::format("#SBATCH --nodes={}\n#SBATCH --ntasks-per-node={}\n",
                                 cluster.nodes(), cluster.per_node);
  if (cluster.devices % cluster.per_node != 0)  // then ntasks-per-node is the most on a node
    text += fmt::format("#SBATCH --ntasks={}\n", cluster.devices);
  return text;
}

std::string resource_lines(const Resources& asked) {
  std::string text = task_lines(asked.cluster);
  if (asked.seconds > 0) {
    text += fmt::format("#SBATCH --time={}\n", wall_text(asked.seconds));
  } else {
    text +=
        "# No time is requested: the plan does not know it (stagedtrain plan --measure, or "
        "machine.flops).\n";
  }
  if (asked.threads > 0) {
    text += fmt::format("#SBATCH --cpus-per-task={:.0f}\n", asked.threads);
  } else {
    text += "# No CPUs are requested: nothing was measured on CPUs (stagedtrain plan --measure).\n";
  }
  return text;
}

// Slurm signals the job's shell before the end, and the shell passes the signal on. `train` then
// saves and exits with code 85. The script itself looks at how many tasks the job has, because that
// is decided when the job is submitted. It returns to the queue by itself, because RequeueExit=85
// would need the cluster's administrator; jobs that depend on it go on waiting. `ending` comes
// before that.
std::string job_script(const SlurmOptions& options, const std::string& about,
                       const std::string& name, const Resources& asked, const std::string& more,
                       const std::string& ending) {
  const Path folder = std::filesystem::absolute(options.folder).lexically_normal();
  std::string text = fmt::format("#!/usr/bin/env bash\n# {}\n#SBATCH --job-name={}\n", about, name);
  text += resource_lines(asked);
  text += fmt::format("#SBATCH --signal=B:USR1@{:.0f}\n", asked.signal);
  text += "#SBATCH --requeue --open-mode=append\nset -euo pipefail\n";
  text += fmt::format("cd -- {}\n", shell_word(options.work_folder.string()));
  text +=
      fmt::format("program={}\nprogram=${{STAGEDTRAIN:-$program}}\n", shell_word(options.program));
  text += R"SH(if ! command -v "$program" >/dev/null; then
  printf 'found no program %s; set STAGEDTRAIN to the path of stagedtrain\n' "$program" >&2
  exit 127
fi
if [[ -n ${SLURM_CPUS_PER_TASK:-} ]]; then
  export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$SLURM_CPUS_PER_TASK}"
  export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
fi
# srun starts one rank for each task, if the job has several. Ranks find lost ones themselves; with
# --kill-on-bad-exit=1, the first rank to exit with 85 would end others that are still leaving.
launcher=()
if [[ ${SLURM_NTASKS:-1} -gt 1 ]]; then launcher=(srun --kill-on-bad-exit=0 --wait=60); fi
)SH";
  text += fmt::format("\"${{launcher[@]}}\" \"$program\" train {} --out {}{} &\n",
                      shell_word((folder / "schedule.yaml").string()),
                      shell_word((folder / "run").string()), more);
  return text + R"SH(training=$!
stopped=
trap 'stopped=yes; kill -USR1 "$training" 2>/dev/null || true' USR1 TERM
# A signal ends a wait before training ends, so wait again until it has.
wait "$training" || true
while kill -0 "$training" 2>/dev/null; do wait "$training" || true; done
code=0
wait "$training" || code=$?
# A signal that comes before training can heed it ends it: that is an interruption, too. Otherwise
# srun returns 128 + n if signal n killed a rank: a rank was lost.
if [[ $stopped ]] && ((code == 6 || code > 128)); then code=85; fi
if ((${#launcher[@]} && code > 128)); then code=6; fi
)SH" + ending +
         R"SH(# Code 85: interrupted after a save. Code 6: a rank or its node was lost. The job returns to the
# queue to continue; after a loss only if it had trained for a while, or it might fail forever.
if [[ -n ${SLURM_JOB_ID:-} ]] &&
  ((code == 85 || (code == 6 && SECONDS >= ${STAGEDTRAIN_REQUEUE_AFTER:-600}))); then
  scontrol requeue "$SLURM_JOB_ID" || true
fi
exit "$code"
)SH";
}

// How long a byte of a checkpoint takes.
struct SaveSpeed {
  double seconds_per_byte = 0;
  bool measured = false;
};

// Returns that of the slowest save in the log of the jobs' run, if it has begun before, or else
// that of machine.disk.
SaveSpeed save_speed(const FullPlan& full, const SlurmOptions& options) {
  SaveSpeed speed;
  const Path log = options.folder / "run" / "run.jsonl";
  for (const runlog::Save& save : runlog::read_processes(log).saves)
    if (save.bytes > 0 && save.seconds / save.bytes > speed.seconds_per_byte)
      speed = {save.seconds / save.bytes, true};
  return speed.measured ? speed : SaveSpeed{1 / full.plan.schedule.machine.disk};
}

JobTimes times_of(const FullPlan& full, std::size_t stage, const SaveSpeed& speed) {
  const StagePlan& planned = full.plan.stages[stage];
  const schedule::Schedule& s = full.plan.schedule;
  const double step = full.cost.stages[stage].seconds_per_token *
                      static_cast<double>(s.batch.sequences * planned.model.context);
  const double save = static_cast<double>(planned.checkpoint_bytes) * speed.seconds_per_byte;
  return {.signal = signal_seconds(step, save)};
}

JobTimes longest_times(const FullPlan& full, const SaveSpeed& speed) {
  JobTimes longest{.signal = 0};
  for (std::size_t i = 0; i < full.plan.stages.size(); ++i)
    longest.signal = std::max(longest.signal, times_of(full, i, speed).signal);
  return longest;
}

Resources stage_resources(const FullPlan& full, std::size_t stage, const SaveSpeed& speed) {
  const StageCost& cost = full.cost.stages[stage];
  const JobTimes times = times_of(full, stage, speed);
  Resources asked{.threads = cost.threads,
                  .signal = times.signal,
                  .cluster = cluster_of(full.plan.schedule.machine, full.cost.processes.count)};
  if (cost.seconds_per_token > 0) asked.seconds = kSlack * cost.costs.seconds() + times.all();
  return asked;
}

// Returns the arguments of `train` for the plan's sharding.
std::string sharding_arguments(const Processes& processes) {
  if (processes.count == 1 || processes.sharding == Sharding::none) return "";
  return fmt::format(" --sharding {}", sharding_name(processes.sharding));
}

std::string submit_script(const std::vector<std::string>& jobs) {
  std::string text = R"SH(#!/usr/bin/env bash
# Submits the jobs of this folder, each after the one before succeeded. Arguments go to sbatch:
#   ./submit.sh --partition=gpu --gres=gpu:1
# Submit again to continue a run that stopped.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
options=("$@")
job=
submit() {
  local after=()
  if [[ -n $job ]]; then after=(--dependency="afterok:$job" --kill-on-invalid-dep=yes); fi
  job=$(sbatch --parsable --output="${here//%/%%}/%x-%j.log" "${after[@]}" "${options[@]}" "$@")
  job=${job%%;*}
  printf 'job %s: %s\n' "$job" "$*"
}
)SH";
  for (const std::string& job : jobs) text += "submit \"$here\"/" + job + "\n";
  return text;
}

std::vector<SlurmFile> stage_jobs(const FullPlan& full, const SlurmOptions& options) {
  std::vector<SlurmFile> files;
  std::vector<std::string> jobs;
  const SaveSpeed speed = save_speed(full, options);
  for (std::size_t i = 0; i < full.plan.stages.size(); ++i) {
    const std::string& stage = full.plan.stages[i].name;
    const std::string name = fmt::format("{}-{}.sh", i + 1, stage);
    files.push_back(
        {name, job_script(
                   options, fmt::format("Trains stage {}: starts it, or continues it.", stage),
                   job_name(full, stage), stage_resources(full, i, speed),
                   sharding_arguments(full.cost.processes) + " --stage " + shell_word(stage), "")});
    jobs.push_back(name);
  }
  files.push_back({"submit.sh", submit_script(jobs)});
  return files;
}

double most_threads(const FullPlan& full) {
  double most = 0;
  for (const StageCost& stage : full.cost.stages) most = std::max(most, stage.threads);
  return most;
}

// Makes one script for all slices. An interrupted slice counts as success, unless it is the last
// one.
std::vector<SlurmFile> slice_jobs(const FullPlan& full, const SlurmOptions& options) {
  if (!full.cost.timed)
    throw usage_error("--slice: the seconds of a token are not known")
        .with_hint(
            "measure them with stagedtrain plan --measure SCHEDULE, or give --set "
            "machine.flops=312T");
  const JobTimes times = longest_times(full, save_speed(full, options));
  const std::int64_t count = jobs_needed(full.cost.total.seconds(), options.slice, times);
  const Resources asked{
      .seconds = options.slice,
      .threads = most_threads(full),
      .signal = times.signal,
      .cluster = cluster_of(full.plan.schedule.machine, full.cost.processes.count)};
  const std::string ending =
      "# Code 85: the slice ended after a save, as planned for all slices but the last.\n"
      "if [[ $code == 85 && ${1:-1} -lt ${2:-1} ]]; then exit 0; fi\n";
  std::vector<SlurmFile> files = {
      {"slice.sh",
       job_script(
           options,
           "Trains for one slice of time, number $1 of $2, from where the slice before it stopped.",
           job_name(full, "slice"), asked, sharding_arguments(full.cost.processes), ending)}};
  std::vector<std::string> jobs;
  for (std::int64_t i = 1; i <= count; ++i) jobs.push_back(fmt::format("slice.sh {} {}", i, count));
  files.push_back({"submit.sh", submit_script(jobs)});
  return files;
}

// Describes the resources that the jobs request, and where the numbers come from.
std::string request_text(const FullPlan& full, const SlurmOptions& options,
                         const SaveSpeed& speed) {
  std::string text;
  if (options.slice == 0)
    text +=
        full.cost.timed
            ? fmt::format("--time is the planned time plus a quarter ({})\n", full.cost.time_source)
            : "--time is not set: the plan's time is not known; give it to submit.sh, or run "
              "stagedtrain plan --measure first\n";
  const Cluster cluster = cluster_of(full.plan.schedule.machine, full.cost.processes.count);
  if (cluster.devices > 1)
    text += fmt::format(
        "each job has {} tasks on {} node{}; request GPUs by an argument of "
        "submit.sh, such as --gpus-per-node={}\n",
        cluster.devices, cluster.nodes(), cluster.nodes() > 1 ? "s" : "", cluster.per_node);
  text += fmt::format(
      "the signal comes at most {:.0f} s before a job ends, for a step and two saves {}\n",
      longest_times(full, speed).signal,
      speed.measured ? "as slow as the slowest in the run's log" : "at machine.disk");
  const double threads = most_threads(full);
  return text + (threads > 0
                     ? fmt::format("--cpus-per-task is {:.0f}, as measured\n", threads)
                     : "--cpus-per-task is not set: no speed was measured on CPUs; give it to "
                       "submit.sh\n");
}

}  // namespace

double signal_seconds(double step_seconds, double save_seconds) {
  constexpr double kUnknownStep = 240, kEnding = 60;
  constexpr double kMost = 65535;  // the largest number that Slurm accepts
  const double step = step_seconds > 0 ? step_seconds : kUnknownStep;
  return std::min(std::ceil(step + 2 * save_seconds + kEnding), kMost);
}

std::int64_t jobs_needed(double seconds, double wall, const JobTimes& times) {
  const double each = wall - times.all();
  if (!(each > 0))
    throw usage_error("--slice {}: starting and saving take {}, expected a longer slice",
                      short_seconds(wall), short_seconds(times.all()));
  constexpr double kMostJobs = 10000;  // more than a queue accepts
  const double jobs = std::max(1.0, std::ceil(seconds / each));
  if (!(jobs <= kMostJobs))
    throw usage_error("--slice {}: {:.3g} jobs, expected at most {}", short_seconds(wall), jobs,
                      kMostJobs)
        .with_hint("choose longer slices");
  return static_cast<std::int64_t>(jobs);
}

std::vector<SlurmFile> slurm_files(const FullPlan& full, const SlurmOptions& options) {
  auto files = options.slice > 0 ? slice_jobs(full, options) : stage_jobs(full, options);
  files.insert(files.begin(), {"schedule.yaml", resolved_yaml(full.plan)});
  return files;
}

std::string write_slurm(const FullPlan& full, const SlurmOptions& options) {
  const std::vector<SlurmFile> files = slurm_files(full, options);
  for (const SlurmFile& file : files) refuse_overwrite(options.folder / file.name, options.force);
  make_folders(options.folder);
  std::string text;
  for (const SlurmFile& file : files) {
    const Path path = options.folder / file.name;
    write_file_atomically(path, file.text, options.force ? Replace::yes : Replace::no);
    if (file.name.ends_with(".sh"))
      std::filesystem::permissions(path, std::filesystem::perms::owner_exec,
                                   std::filesystem::perm_options::add);
    text += path.string() + "\n";
  }
  const SaveSpeed speed = save_speed(full, options);
  text += request_text(full, options, speed);
  if (options.slice > 0) {
    const std::int64_t count =
        jobs_needed(full.cost.total.seconds(), options.slice, longest_times(full, speed));
    text += fmt::format("{} of {} for {} of training, {}\n", counted(count, "job"),
                        short_seconds(options.slice), short_seconds(full.cost.total.seconds()),
                        full.cost.time_source);
  }
  return text + fmt::format("submit with {}; its arguments go to sbatch\n",
                            (options.folder / "submit.sh").string());
}

}  // namespace stagedtrain::plan
