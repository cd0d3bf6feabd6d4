// The scripts of a chain of jobs: the same script starts a job's work and goes on with it.
#include "plan/slurm.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace stagedtrain::plan {
namespace {

constexpr double kSlack = 1.25;  // on planned time, for jobs of whole stages

// In single quotes, as a shell reads it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// HH:MM:SS, whole minutes up.
std::string wall_text(double seconds) {
  const auto minutes = static_cast<std::int64_t>(std::ceil(seconds / 60));
  return fmt::format("{:02}:{:02}:00", minutes / 60, minutes % 60);
}

std::string job_name(const FullPlan& full, const std::string& what) {
  const std::string& name = full.plan.schedule.name;
  return (name.empty() ? std::string("stagedtrain") : name) + "-" + what;
}

// Slurm warns the job's shell, which passes it on; `train` then saves and leaves with 85.
std::string job_script(const SlurmOptions& options, const std::string& about,
                       const std::string& name, double wall, const std::string& more,
                       const std::string& ending) {
  const Path folder = std::filesystem::absolute(options.folder).lexically_normal();
  std::string text = fmt::format("#!/usr/bin/env bash\n# {}\n#SBATCH --job-name={}\n", about, name);
  if (wall > 0) text += fmt::format("#SBATCH --time={}\n", wall_text(wall));
  text += fmt::format("#SBATCH --signal=B:USR1@{:.0f}\nset -euo pipefail\n", JobTimes().margin);
  text += fmt::format("cd -- {}\n", quoted(options.program_folder.string()));
  text += fmt::format("\"${{STAGEDTRAIN:-stagedtrain}}\" train {} --out {}{} &\n",
                      quoted((folder / "schedule.yaml").string()),
                      quoted((folder / "run").string()), more);
  return text + R"SH(training=$!
trap 'kill -USR1 "$training"' USR1 TERM
# A wait that a signal ended did not see how training ends; the last one does.
wait "$training" || true
while kill -0 "$training" 2>/dev/null; do wait "$training" || true; done
code=0
wait "$training" || code=$?
)SH" + ending;
}

double stage_wall(const StageCost& cost) {
  if (cost.seconds_per_token == 0) return 0;
  return kSlack * cost.costs.seconds() + JobTimes().all();
}

std::string submit_script(const std::vector<std::string>& jobs) {
  std::string text = R"SH(#!/usr/bin/env bash
# Submits the jobs of this folder, each after the one before has ended well. Arguments go to sbatch:
#   ./submit.sh --partition=gpu --gres=gpu:1
# Submit again to go on with a run that stopped.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
options=("$@")
job=
submit() {
  local after=()
  if [[ -n $job ]]; then after=(--dependency="afterok:$job" --kill-on-invalid-dep=yes); fi
  job=$(sbatch --parsable --output="$here/%x-%j.log" "${after[@]}" "${options[@]}" "$@")
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
  for (std::size_t i = 0; i < full.plan.stages.size(); ++i) {
    const std::string& stage = full.plan.stages[i].name;
    const std::string name = fmt::format("{}-{}.sh", i + 1, stage);
    files.push_back(
        {name,
         job_script(options, fmt::format("Trains stage {}: starts it, or goes on with it.", stage),
                    job_name(full, stage), stage_wall(full.cost.stages[i]),
                    " --stage " + quoted(stage), "exit \"$code\"\n")});
    jobs.push_back(name);
  }
  files.push_back({"submit.sh", submit_script(jobs)});
  return files;
}

// An interrupted slice is as planned, unless it is the last one.
std::vector<SlurmFile> slice_jobs(const FullPlan& full, const SlurmOptions& options) {
  if (!full.cost.timed)
    throw usage_error("--slice: the seconds of a token are not known")
        .with_hint("stagedtrain plan --measure SCHEDULE times it, or --set machine.flops=312T");
  const std::int64_t count = jobs_needed(full.cost.total.seconds(), options.slice);
  const std::string ending =
      "# Code 85 is a slice that ended after a save: all but the last are to go on.\n"
      "if [[ $code == 85 && ${1:-1} -lt ${2:-1} ]]; then exit 0; fi\nexit \"$code\"\n";
  std::vector<SlurmFile> files = {
      {"slice.sh",
       job_script(options,
                  "Trains for one slice of time, number $1 of $2; goes on where it stopped.",
                  job_name(full, "slice"), options.slice, "", ending)}};
  std::vector<std::string> jobs;
  for (std::int64_t i = 1; i <= count; ++i) jobs.push_back(fmt::format("slice.sh {} {}", i, count));
  files.push_back({"submit.sh", submit_script(jobs)});
  return files;
}

}  // namespace

std::int64_t jobs_needed(double seconds, double wall, const JobTimes& times) {
  const double each = wall - times.all();
  if (!(each > 0))
    throw usage_error("--slice {}: start, save and margin take {}, expected a longer slice",
                      short_seconds(wall), short_seconds(times.all()));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(seconds / each)));
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
  if (options.slice > 0) {
    const std::int64_t count = jobs_needed(full.cost.total.seconds(), options.slice);
    text +=
        fmt::format("{} jobs of {} for {} of training, {}\n", count, short_seconds(options.slice),
                    short_seconds(full.cost.total.seconds()), full.cost.time_source);
  }
  return text + fmt::format("submit with {}; its arguments go to sbatch\n",
                            (options.folder / "submit.sh").string());
}

}  // namespace stagedtrain::plan
