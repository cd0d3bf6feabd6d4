// Sorts the differences of two schedules into those that matter and those that do not.
#include "runfolder/schedule_change.h"

#include <algorithm>

#include "arch/routed_layers.h"
#include "plan/stage_policy.h"
#include "runfolder/checkpoint_match.h"
#include "runfolder/run_folder.h"
#include "schedule/differences.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

using schedule::Difference;

constexpr const char* kOtherFolder = "choose another --out, or remove the folder to start again";
constexpr const char* kWhatMayChange =
    "; --replan resumes with different lengths of the stages that have not ended, and any other "
    "changes to those that have not begun; --extend trains a finished run further";

bool draws_for_micro_batches(const plan::RunPlan& plan) {
  return std::ranges::any_of(plan.stages, plan::draws_for_micro_batches);
}

// Whether the routers of any stage choose among the tokens of a micro-batch.
bool routes(const plan::RunPlan& plan) {
  return std::ranges::any_of(
      plan.stages, [](const plan::StagePlan& s) { return arch::has_routed_layers(s.model); });
}

// Removes the differences that never matter, and returns notes about them.
std::vector<std::string> take_harmless(std::vector<Difference>& found, const plan::RunPlan& plan) {
  std::vector<std::string> notes;
  std::erase_if(found, [&](const Difference& one) {
    if (one.key == "data.train" || one.key == "data.validation") {
      notes.push_back(fmt::format(
          "{} is {} now, {} before: it must hold the same tokens, or the run is refused", one.key,
          one.here, one.there));
    } else if (one.key == "batch.micro") {
      notes.push_back(fmt::format("batch.micro is {} now, {} before: {}", one.here, one.there,
                                  draws_for_micro_batches(plan)
                                      ? "different layers are left out from here on"
                                  : routes(plan) ? "routers choose among other tokens from here on"
                                                 : "the results are the same except for rounding"));
    } else if (one.key == "batch.recompute") {
      notes.push_back(
          fmt::format("batch.recompute is {} now, {} before: the results are the same bit for bit",
                      one.here, one.there));
    } else {
      return false;
    }
    return true;
  });
  return notes;
}

// Returns what to do about a changed time budget, or `otherwise` if that is not among them.
std::string advice(const std::vector<Difference>& found, const std::string& otherwise) {
  const auto budget = std::ranges::find_if(
      found, [](const Difference& one) { return one.key.starts_with("budget"); });
  if (budget == found.end()) return otherwise;
  return fmt::format(
      "a run keeps its time budget: {}; once it has ended, --extend trains its last stage further; "
      "for another budget choose another --out",
      budget->there == "none" ? "leave budget out"
                              : fmt::format("give {}: {} again", budget->key, budget->there));
}

Error other_schedule(const Path& folder, const std::vector<Difference>& found) {
  return usage_error("{}: holds a run of another schedule: {}", folder.string(), to_text(found));
}

// Returns the error of --replan and --extend for keys that can no longer change.
Error may_not_change(const char* option, const Path& folder, const std::vector<Difference>& found) {
  return usage_error("{}: {} holds a run in which this can no longer change: {}", option,
                     folder.string(), to_text(found))
      .with_hint(advice(found, kOtherFolder));
}

// The stages that have begun must keep their models.
bool begun_models_are_kept(const plan::RunPlan& plan, const Standing& standing) {
  if (plan.stages.size() != standing.plan.stages.size()) return false;
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    if (standing.has_begun(plan.stages[i].name) &&
        !(plan.stages[i].model == standing.plan.stages[i].model))
      return false;
  return true;
}

}  // namespace

bool Standing::has_begun(const std::string& stage) const {
  for (std::size_t i = 0; progress && i < plan.stages.size(); ++i)
    if (plan.stages[i].name == stage) return static_cast<std::int64_t>(i) <= progress->stage_index;
  return false;
}

bool Standing::has_ended(const std::string& stage) const {
  return has_begun(stage) && (progress->stage != stage || progress->stage_done);
}

bool Standing::run_has_ended() const { return has_ended(plan.stages.back().name); }

Standing standing_of(const std::string& schedule_yaml, const plan::RunPlan& plan,
                     const std::vector<Candidate>& candidates) {
  const schedule::Schedule before = schedule::parse(schedule_yaml, "schedule.yaml");
  const plan::StagePlan& first = plan.stages[0];
  std::optional<arch::ModelConfig> start;
  if (!before.from.empty()) start = first.growth ? first.growth->from : first.model;
  Standing standing{plan::resolve(before, plan.facts, start), {}};
  for (const Candidate& one : candidates) {
    if (!mismatches(one.header, standing.plan).empty()) continue;
    standing.progress = one.header.progress;
    break;
  }
  return standing;
}

std::vector<std::string> refuse_other_schedule(const Path& folder, const plan::RunPlan& plan,
                                               const std::string& yaml, const std::string& before) {
  std::vector<Difference> found = schedule::key_differences(yaml, before);
  std::vector<std::string> notes = take_harmless(found, plan);
  if (!found.empty())
    throw other_schedule(folder, found)
        .with_hint(advice(found, std::string(kOtherFolder) + kWhatMayChange));
  return notes;
}

std::vector<std::string> refuse_replan(const Path& folder, const plan::RunPlan& plan,
                                       const std::string& yaml, const std::string& before,
                                       const Standing& standing) {
  std::vector<Difference> found = schedule::key_differences(yaml, before);
  std::vector<std::string> notes = take_harmless(found, plan);
  if (!found.empty() && standing.run_has_ended())
    throw usage_error("--replan: the run in {} has ended: {}", folder.string(), to_text(found))
        .with_hint("--extend trains the last stage further");
  const bool models_kept = begun_models_are_kept(plan, standing);
  std::erase_if(found, [&](const Difference& one) {
    const std::string stage = one.stage();
    if (one.is_model()) return models_kept;
    if (stage.empty()) return false;
    return one.is_length() ? !standing.has_ended(stage) : !standing.has_begun(stage);
  });
  if (!found.empty()) throw may_not_change("--replan", folder, found);
  return notes;
}

std::vector<std::string> refuse_extension(const Path& folder, const std::string& yaml,
                                          const std::string& before, const Standing& standing,
                                          const plan::RunPlan& plan) {
  std::vector<Difference> found = schedule::key_differences(yaml, before);
  std::vector<std::string> notes = take_harmless(found, plan);
  if (found.empty()) return notes;  // it was extended before, and continues
  if (!standing.run_has_ended())
    throw usage_error("--extend: the run in {} has not ended", folder.string())
        .with_hint("--replan changes the lengths of the stages that have not ended");
  const std::string last = standing.plan.stages.back().name;
  std::erase_if(found,
                [&](const Difference& one) { return one.is_length() && one.stage() == last; });
  if (!found.empty()) throw may_not_change("--extend", folder, found);
  const std::int64_t made = standing.progress->stage_step, asked = plan.stages.back().steps;
  if (asked <= made)
    throw usage_error("--extend: stage {} has trained {} already, and the schedule asks for {}",
                      last, counted(made, "step"), grouped(asked))
        .with_hint(fmt::format("make it longer, as with --set stages.{}.for={}", last, 2 * made));
  return notes;
}

}  // namespace stagedtrain::train
