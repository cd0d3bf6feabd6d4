// Finds the state that a run starts or continues from.
//
// The order is:
//  1. the furthest checkpoint of the folder that belongs to the plan (checkpoint_match.h) and whose
//     checksums all verify;
//  2. the branch checkpoint of a shorter run, if the request names one;
//  3. the weights of the schedule's `from`, or fresh weights.
// The first rank makes this choice. The others receive path and checksum of its file and load the
// same file. The checksum is compared because the path may be another file on their host.
//
// Invariant: damaged files are renamed only after a good one has been loaded. A folder in which all
// checkpoints are damaged stays as it is and is an error. If they had been renamed, the next call
// would find no checkpoint and start the training again from nothing.
//
// The length of the learning-rate curve is computed anew: the steps taken so far, and the planned
// steps from the current stage on. This holds for stages that ended early, for branches and for
// changed plans.
#include "train/take_up.h"

#include <algorithm>

#include "base/signals.h"
#include "plan/decay.h"
#include "runfolder/checkpoint_match.h"
#include "text/counted.h"
#include "text/text.h"
#include "train/growing.h"
#include "train/map_fit.h"

namespace stagedtrain::train {
namespace {

// Marks a state as one that has trained nothing in this run. A moving average of the weights begins
// with them.
void begin(const plan::RunPlan& plan, DeviceState& live) {
  if (plan.schedule.ema) average_from_now_on(live);
  live.header.progress.stage = plan.stages[0].name;
  live.header.seed = live.header.data.seed = static_cast<std::uint64_t>(plan.schedule.seed);
}

DeviceState start_fresh(const plan::RunPlan& plan, const model::ModelOptions& options) {
  DeviceState live =
      fresh_live(plan.stages[0].model, static_cast<std::uint64_t>(plan.schedule.seed), options);
  begin(plan, live);
  return live;
}

// Starts with the weights of another run's checkpoint, zero moments, and the beginning of the curve
// and of the data. Grows them if the first stage has a growth. Tokens, FLOPs and seconds of that
// run still count.
TakenUp start_from_weights(RunContext& run, const model::ModelOptions& options) {
  const plan::RunPlan& plan = run.plan;
  TakenUp taken{.live = {}, .from = {}, .messages = {}};
  const Path path = plan.schedule.from;
  DeviceState live = load_live(path, options);
  const std::string identity = state::CheckpointReader(path).identity();
  state::StateHeader& header = live.header;
  if (header.progress.step < header.mask.start + header.mask.steps)
    throw usage_error("from: {}: the mask of its last growth rises until step {}; this is step {}",
                      path.string(), header.mask.start + header.mask.steps, header.progress.step)
        .with_hint("use a checkpoint of a later step");
  if (header.mask.steps > 0) end_mask(live);
  header.lineage.push_back(
      {path.string(), identity, "weights alone", header.progress.step, header.model});
  const state::Progress before = header.progress;
  header.progress = {.tokens = before.tokens, .flops = before.flops, .seconds = before.seconds};
  header.data = {};
  header.histories = state::fresh_histories(header.model);
  live.model->params().set_histories(header.histories);
  live.model->params().clear_moments();
  live.model->params().ema() = at::Tensor();
  header.ema = false;
  end_adapters(live);
  if (plan.stages[0].growth) {
    grow::GrowthRecipe growth = *plan.stages[0].growth;
    taken.fit = fit_maps(run, plan.stages[0], live, growth);
    live = grow_live(growth, std::move(live), path.string(), identity);
  }
  begin(plan, live);
  taken.live = std::move(live);
  return taken;
}

std::string not_of_this_schedule(const Path& file, const std::vector<std::string>& reasons) {
  return fmt::format("{}: not of this schedule ({})", file.string(), join(reasons, "; "));
}

// Searches for the furthest usable checkpoint.
class Search {
 public:
  Search(const RunFolder& folder, const plan::RunPlan& plan, const model::ModelOptions& options)
      : folder_(folder), plan_(plan), options_(options) {}

  std::optional<TakenUp> find() {
    for (const Candidate& one : folder_.candidates(damaged_)) {
      stop_point("looking for a checkpoint to resume from");
      if (const auto reasons = mismatches(one.header, plan_); !reasons.empty()) {
        others_.push_back(not_of_this_schedule(one.file, reasons));
      } else if (std::optional<DeviceState> live = load(one.file)) {
        return TakenUp{std::move(*live), one.file, passed_over()};
      }
    }
    if (damaged_.empty() && others_.empty()) return {};
    for (const Unusable& one : damaged_) others_.push_back(one.why);
    throw input_error("{}: has checkpoints, but none can be used: {}", folder_.path().string(),
                      join(others_, "; "))
        .with_hint("choose another --out, or remove the folder to start again");
  }

 private:
  std::optional<DeviceState> load(const Path& file) {
    try {
      return load_live(file, options_);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      damaged_.push_back({file, error.what()});
      return {};
    }
  }

  // To be called only after a good checkpoint has been loaded (see the top of this file).
  std::vector<std::string> passed_over() const {
    std::vector<std::string> messages;
    for (const std::string& other : others_) messages.push_back("skipped: " + other);
    for (const Unusable& one : damaged_)
      messages.push_back(fmt::format("skipped: {}; set aside as {}", one.why,
                                     folder_.set_aside(one.file, "damaged").filename().string()));
    return messages;
  }

  const RunFolder& folder_;
  const plan::RunPlan& plan_;
  const model::ModelOptions& options_;
  std::vector<Unusable> damaged_;
  std::vector<std::string> others_;
};

// Starts from a branch. Since a branch can be trained again, a missing or damaged one is not an
// error.
TakenUp from_branch(const Path& branch, const plan::RunPlan& plan,
                    const model::ModelOptions& options) {
  TakenUp taken{.live = {}, .from = {}, .messages = {}};
  try {
    const state::CheckpointReader reader(branch);
    const auto reasons = mismatches(reader.header(), plan);
    if (!reasons.empty()) throw input_error("{}", not_of_this_schedule(branch, reasons));
    taken.live = load_live(branch, options);
    taken.from = branch;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    taken.messages.push_back(
        fmt::format("the part that both runs share is trained again: {}", error.what()));
    taken.live = start_fresh(plan, options);
  }
  return taken;
}

// Returns the length of the curve. A stage that has already taken more steps than are now planned
// keeps them. A length that the time budget has decided stays.
std::int64_t total_steps(const plan::RunPlan& plan, const state::StateHeader& header) {
  const state::Progress& at = header.progress;
  if (at.stage.empty()) return plan.total_steps;
  const auto index = static_cast<std::size_t>(at.stage_index);
  std::int64_t steps = at.step;
  if (!at.stage_done) steps += std::max<std::int64_t>(0, plan.stages[index].steps - at.stage_step);
  for (std::size_t i = index + 1; i < plan.stages.size(); ++i) steps += plan.stages[i].steps;
  const bool decided =
      at.step > 0 && plan.stages[index].until_seconds > 0 && !length_was_changed(header, plan);
  return decided ? std::min(steps, at.total_steps) : steps;
}

// Continues in the last stage of a run that had ended if this stage has been made longer.
void reopen_extended(const plan::RunPlan& plan, TakenUp& taken) {
  state::Progress& at = taken.live.header.progress;
  const auto index = static_cast<std::size_t>(at.stage_index);
  if (index + 1 != plan.stages.size() || !at.stage_done) return;
  if (at.stage_step >= plan.stages[index].steps || !length_was_changed(taken.live.header, plan))
    return;
  at.stage_done = false;
  taken.messages.push_back(fmt::format("{} had ended after {}; it now continues to {}", at.stage,
                                       counted(at.stage_step, "step"),
                                       grouped(plan.stages[index].steps)));
}

// Warns if the learning rate will not have decayed at the end of the run, or rises again, as can
// happen after --replan and --extend.
void warn_of_rates(const plan::RunPlan& plan, TakenUp& taken) {
  const state::Progress& at = taken.live.header.progress;
  const auto index = static_cast<std::size_t>(at.stage_index);
  if (at.step == 0 || (at.stage_done && index + 1 == plan.stages.size())) return;
  const plan::StagePlan& stage = plan.stages[index];
  const bool over = at.step >= at.total_steps;
  const bool cut = !plan::fits_decay(plan, stage, at.step - 1, at.learning_rate, at.total_steps);
  if (cut || !plan::ends_decayed(plan, at.total_steps, over ? at.learning_rate : 0))
    taken.messages.push_back(
        fmt::format("warning: the learning rate will not have decayed when the run ends after {} "
                    "steps: it was {} in step {}; do not compare the end of this run with others",
                    grouped(at.total_steps), format_number(at.learning_rate), grouped(at.step)));
  // The rate that the previous step would have had under the present plan.
  const double planned =
      plan::learning_rate(plan, stage, at.step - 1, at.stage_step - 1, at.total_steps);
  if (over || planned <= at.learning_rate * (1 + 1e-9)) return;
  taken.messages.push_back(fmt::format(
      "warning: the learning rate goes up from {} to about {}: it had begun to decay when the run "
      "was made longer; resuming from a checkpoint before the decay would be better",
      format_number(at.learning_rate), format_number(planned)));
}

TakenUp start(RunContext& run, const model::ModelOptions& options) {
  if (!run.plan.schedule.from.empty()) return start_from_weights(run, options);
  return {start_fresh(run.plan, options), {}, {}};
}

std::optional<TakenUp> find(const RunRequest& request, const model::ModelOptions& options,
                            RunContext& run) {
  std::optional<TakenUp> taken = Search(run.folder, run.plan, options).find();
  if (!taken && request.branch_of) taken = from_branch(*request.branch_of, run.plan, options);
  return taken;
}

// Makes the other ranks load the first rank's choice. If there is none, all ranks start together,
// because a growth of a state with shards needs all of them.
TakenUp follow_first(std::optional<TakenUp> taken, const model::ModelOptions& options,
                     RunContext& run) {
  const auto identity = [](const Path& file) { return state::CheckpointReader(file).identity(); };
  std::string choice;
  if (taken && !taken->from.empty() && !run.ranks.alone())
    choice = fmt::format("{}\n{}", identity(taken->from),
                         std::filesystem::absolute(taken->from).string());
  choice = run.ranks.from_first(choice);
  if (taken) return std::move(*taken);
  if (choice.empty()) return start(run, options);
  const std::size_t end = choice.find('\n');
  const std::string expected = choice.substr(0, end);
  const Path file = choice.substr(end + 1);
  if (const std::string found = identity(file); found != expected)
    throw usage_error(
        "{}: on rank 0, which resumes from this file, its checksum is {}; here it is {}",
        file.string(), expected, found)
        .with_hint("give all ranks the same folder, on a file system that they share");
  return {load_live(file, options), file, {}};
}

}  // namespace

TakenUp take_up(const RunRequest& request, const model::ModelOptions& options, RunContext& run) {
  const plan::RunPlan& plan = run.plan;
  std::optional<TakenUp> taken;
  if (run.ranks.first()) taken = find(request, options, run);
  taken = follow_first(std::move(taken), options, run);
  state::StateHeader& header = taken->live.header;
  if (!taken->from.empty()) {
    run.data.check_same(header.run.data_fingerprint);
    run.kept.went_on_from(taken->from);
    reopen_extended(plan, *taken);
  }
  // The header still has the schedule with which it was saved.
  header.progress.total_steps = total_steps(plan, header);
  header.run = run.data.info(plan);
  if (!taken->from.empty()) warn_of_rates(plan, *taken);
  return std::move(*taken);
}

}  // namespace stagedtrain::train
