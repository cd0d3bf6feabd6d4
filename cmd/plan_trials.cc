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

}  // namespace

// Tries learning rates on the last layers, and plans with the best.
static std::string rate_trials_result(const TrialArguments& arguments,
                                      const schedule::Schedule& schedule) {
  const plan::RunPlan plan = plan::resolve_files(schedule);
  const std::vector<plan::TrialRun> candidates =
      plan::rate_candidates(plan, arguments.steps, arguments.train_last, arguments.ways);
  const Path folder = arguments.folder;
  write_files(plan::trial_files(candidates, folder, program_path()), folder);
  const std::vector<plan::TrialResult> ranking =
      plan::ranked(plan::trial_results(candidates, folder));
  const bool all = have_ended(ranking) == std::ssize(ranking);
  if (!all && arguments.print_schedule) throw not_ended(folder);
  if (arguments.json && !all) return json_text(plan::to_json(ranking)) + "\n";
  const plan::RateTrialsCost cost = plan::rate_trials_cost(candidates);
  const std::string extent =
      wrapped(fmt::format("{} learning rates, tried on the last {} of {} layers with {:.0f}% of "
                          "the FLOPs of the run that is planned; a step costs {:.0f}% of one that "
                          "trains all layers",
                          candidates.size(), arguments.train_last, plan.final_model.layers,
                          100 * cost.flops / plan.flops, 100 * cost.share)) +
      "\n" + plan::rate_text(ranking, arguments.steps);
  if (!all) return extent + waiting_text(ranking, folder);
  const auto best = std::ranges::find(candidates, ranking.front().name, &plan::TrialRun::name);
  schedule::Schedule tuned = schedule;
  tuned.lr.peak = best->schedule.lr.peak;
  const plan::RunPlan again = plan::resolve_files(tuned);
  if (arguments.print_schedule) return plan::resolved_yaml(again);
  if (arguments.json)
    return json_text({{"ranking", plan::to_json(ranking)}, {"plan", plan::to_json(again)}}) + "\n";
  return extent + fmt::format("\nbest: {}; planned with it:\n\n", best->growth) +
         plan::to_text(again);
}

std::string trial_result(const TrialArguments& arguments, const schedule::Schedule& schedule) {
  if (arguments.train_last > 0) return rate_trials_result(arguments, schedule);
  const plan::RunPlan plan = plan::resolve_files(schedule);
  std::vector<plan::TrialRun> candidates = plan::trial_runs(plan, arguments.steps);
  const std::size_t all_ways = candidates.size();
  candidates.resize(std::min(all_ways, static_cast<std::size_t>(arguments.ways)));
  const Path folder = arguments.folder;
  write_files(plan::trial_files(candidates, folder, program_path()), folder);
  const std::vector<plan::TrialResult> ranking =
      plan::ranked(plan::trial_results(candidates, folder));
  const bool all = have_ended(ranking) == std::ssize(ranking);
  if (!all && arguments.print_schedule) throw not_ended(folder);
  if (arguments.json && !all) return json_text(plan::to_json(ranking)) + "\n";
  const std::string extent = extent_text(candidates, all_ways, plan);
  if (!all) return extent + plan::to_text(ranking, arguments.steps) + waiting_text(ranking, folder);
  const auto best = std::ranges::find(candidates, ranking.front().name, &plan::TrialRun::name);
  const plan::RunPlan again =
      plan::resolve_files(plan::with_growth(schedule, best->schedule.stages[1].grow));
  if (arguments.print_schedule) return plan::resolved_yaml(again);
  if (arguments.json)
    return json_text({{"ranking", plan::to_json(ranking)}, {"plan", plan::to_json(again)}}) + "\n";
  return extent + plan::to_text(ranking, arguments.steps) +
         fmt::format("\nbest: {}; planned with it:\n\n", best->growth) + plan::to_text(again);
}

}  // namespace stagedtrain::cmd
