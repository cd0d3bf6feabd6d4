// Manages the files of trial runs: written once, and read again when its runs have ended.
#include "cmd/plan_trials.h"

#include <algorithm>

#include "cmd/program_path.h"
#include "jobs/rate_trials.h"
#include "lengths/resolve_files.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

// Writes the files that do not exist yet. Existing files must have the same content, except the
// script, which is rewritten, because more trial runs continue with the ones that were there.
void write_files(const std::vector<plan::TrialFile>& files, const Path& folder) {
  std::error_code none;
  for (const plan::TrialFile& file : files) {
    const Path path = folder / file.name;
    if (file.name == "run.sh" || !std::filesystem::exists(path, none)) continue;
    if (read_text_file(path, 1 << 20) != file.text)
      throw usage_error("{}: belongs to other trial runs than these", path.string())
          .with_hint("choose another --out, or remove the folder");
  }
  make_folders(folder / "runs");
  for (const plan::TrialFile& file : files)
    if (file.name == "run.sh" || !std::filesystem::exists(folder / file.name, none))
      write_file_atomically(folder / file.name, file.text);
}

// Describes how many ways are tried, and what that costs.
std::string extent_text(const std::vector<plan::TrialRun>& tried, std::size_t all,
                        const plan::RunPlan& plan) {
  std::string text =
      fmt::format("{} to grow, tried with {:.0f}% of the FLOPs of the run that is planned",
                  counted(std::ssize(tried), "way"), 100 * plan::trial_flops(tried) / plan.flops);
  if (tried.size() < all)
    text += fmt::format(" ({} more, of other options: --ways {})", all - tried.size(), all);
  return wrapped(text) + "\n";
}

std::ptrdiff_t have_ended(const std::vector<plan::TrialResult>& ranking) {
  return std::ranges::count_if(
      ranking, [](const plan::TrialResult& result) { return result.loss.has_value(); });
}

std::string waiting_text(const std::vector<plan::TrialResult>& ranking, const Path& folder) {
  return fmt::format("\n{} of {} have ended; train them, then give this command again:\n  sh {}\n",
                     have_ended(ranking), ranking.size(), (folder / "run.sh").string());
}

Error not_ended(const Path& folder) {
  return usage_error("plan --trial-steps: not all of its runs have ended")
      .with_hint("sh " + (folder / "run.sh").string());
}

// What is tried, and what becomes of the schedule once one of the runs is the best.
struct Trials {
  std::vector<plan::TrialRun> runs;
  std::string extent;  // how many are tried, and what that costs
  std::string (*ranking_text)(const std::vector<plan::TrialResult>&, std::int64_t steps);
  schedule::Schedule (*with_best)(schedule::Schedule, const plan::TrialRun& best);
};

schedule::Schedule with_rate(schedule::Schedule schedule, const plan::TrialRun& best) {
  schedule.lr.peak = best.schedule.lr.peak;
  return schedule;
}

// Learning rates, tried on the last layers.
Trials rate_trials(const TrialArguments& arguments, const plan::RunPlan& plan) {
  Trials trials{plan::rate_candidates(plan, arguments.steps, arguments.train_last, arguments.ways),
                "", plan::rate_text, with_rate};
  const plan::RateTrialsCost cost = plan::rate_trials_cost(trials.runs);
  trials.extent =
      wrapped(fmt::format("{} learning rates, tried on the last {} of {} layers with {:.0f}% of "
                          "the FLOPs of the run that is planned; a step costs {:.0f}% of one that "
                          "trains all layers",
                          trials.runs.size(), arguments.train_last, plan.final_model.layers,
                          100 * cost.flops / plan.flops, 100 * cost.share)) +
      "\n";
  return trials;
}

schedule::Schedule with_best_growth(schedule::Schedule schedule, const plan::TrialRun& best) {
  return plan::with_growth(std::move(schedule), best.schedule.stages[1].grow);
}

Trials growth_trials(const TrialArguments& arguments, const plan::RunPlan& plan) {
  Trials trials{plan::trial_runs(plan, arguments.steps), "", plan::to_text, with_best_growth};
  const std::size_t all = trials.runs.size();
  trials.runs.resize(std::min(all, static_cast<std::size_t>(arguments.ways)));
  trials.extent = extent_text(trials.runs, all, plan);
  return trials;
}

}  // namespace

std::string trial_result(const TrialArguments& arguments, const schedule::Schedule& schedule) {
  const plan::RunPlan plan = plan::resolve_files(schedule);
  const Trials trials =
      arguments.train_last > 0 ? rate_trials(arguments, plan) : growth_trials(arguments, plan);
  const Path folder = arguments.folder;
  write_files(plan::trial_files(trials.runs, folder, program_path()), folder);
  const std::vector<plan::TrialResult> ranking =
      plan::ranked(plan::trial_results(trials.runs, folder));
  const bool all = have_ended(ranking) == std::ssize(ranking);
  if (!all && arguments.print_schedule) throw not_ended(folder);
  if (arguments.json && !all) return json_text(plan::to_json(ranking)) + "\n";
  const std::string ranked = trials.extent + trials.ranking_text(ranking, arguments.steps);
  if (!all) return ranked + waiting_text(ranking, folder);
  const auto best = std::ranges::find(trials.runs, ranking.front().name, &plan::TrialRun::name);
  const plan::RunPlan again = plan::resolve_files(trials.with_best(schedule, *best));
  if (arguments.print_schedule) return plan::resolved_yaml(again);
  if (arguments.json)
    return json_text({{"ranking", plan::to_json(ranking)}, {"plan", plan::to_json(again)}}) + "\n";
  return ranked + fmt::format("\nbest: {}; planned with it:\n\n", best->growth) +
         plan::to_text(again);
}

}  // namespace stagedtrain::cmd
