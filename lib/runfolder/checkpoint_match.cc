// Decides whether a checkpoint can have come from a run of this plan.
//
// Valid checksums prove that a file is undamaged. They do not prove that it belongs to this run: it
// may be of another one, or made by hand. So the header is compared with the plan:
// - stage, model, precision and seed are those of the plan;
// - every earlier stage took at least one step, and this one no more than its length, unless that
//   was changed;
// - a stage is done only after its last step, unless `until` or a changed length ended it earlier;
// - data.index is the number of sequences that its steps read, including the batch-size ramp and
//   the fits of learned growths;
// - tokens and FLOPs are between those of the cheapest and of the most expensive stage so far,
//   where the plan knows them;
// - a mask can only follow a growth, and adapters belong to a stage with that policy;
// - the recorded schedule has the same values, except for keys that a run may change.
//
// No tensor is read, so a run can refuse a file before it loads gigabytes.
#include "runfolder/checkpoint_match.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "arch/cost.h"
#include "plan/selection_cost.h"
#include "plan/stage_policy.h"
#include "policies/transplant.h"
#include "schedule/differences.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

constexpr std::int64_t kMaxSteps = 1'000'000'000;
constexpr double kMaxTokens = 1e18;

// Returns text of a file in quotes, shortened, with control characters escaped.
std::string in_quotes(const std::string& text) {
  const std::string shown = text.size() > 60 ? text.substr(0, 60) + "..." : text;
  return Json(shown).dump(-1, ' ', true, Json::error_handler_t::replace);
}

bool takes_other_states(const plan::StagePlan& stage) {
  return stage.growth && std::ranges::any_of(stage.growth->steps,
                                             [](const auto& step) { return !step.others.empty(); });
}

std::int64_t sequences_before(const schedule::Schedule& s, std::int64_t step) {
  const std::int64_t ramp =
      std::min(step, s.batch.size_warmup ? s.batch.size_warmup->over : std::int64_t{0});
  std::int64_t sequences = (step - ramp) * s.batch.sequences;
  for (std::int64_t i = 0; i < ramp; ++i) sequences += plan::sequences_at(s, i);
  return sequences;
}

class Comparison {
 public:
  Comparison(const state::StateHeader& header, const plan::RunPlan& plan)
      : header_(header), progress_(header.progress), plan_(plan) {}

  std::vector<std::string> reasons() {
    const auto count = static_cast<std::int64_t>(plan_.stages.size());
    if (progress_.stage_index < 0 || progress_.stage_index >= count) {
      refuse("it is from stage {} of its run, but the schedule has {}",
             grouped(progress_.stage_index + 1), count);
      return reasons_;
    }
    stage_ = &plan_.stages[static_cast<std::size_t>(progress_.stage_index)];
    compare_stage();
    compare_steps();
    compare_end();
    if (reasons_.empty()) compare_data();
    compare_mask();
    compare_adapters();
    compare_schedule();
    return reasons_;
  }

 private:
  template <class... Args>
  void refuse(fmt::format_string<Args...> format, Args&&... args) {
    reasons_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void compare_stage() {
    if (progress_.stage != stage_->name)
      refuse("its stage is {}, expected {}", in_quotes(progress_.stage), in_quotes(stage_->name));
    if (!(header_.model == stage_->model))
      refuse("it holds {}, but stage {} is {}", describe(header_.model), stage_->name,
             describe(stage_->model));
    const auto seed = static_cast<std::uint64_t>(plan_.schedule.seed);
    if (header_.seed != seed || header_.data.seed != seed)
      refuse("its seed is {}, but the schedule's is {}",
             header_.seed != seed ? header_.seed : header_.data.seed, seed);
    const bool fp64 = plan_.schedule.precision == schedule::Precision::fp64;
    const state::DType dtype = fp64 ? state::DType::f64 : state::DType::f32;
    if (header_.dtype != dtype)
      refuse("it holds {}, expected {} for this precision", dtype_name(header_.dtype),
             dtype_name(dtype));
  }

  // Every earlier stage took at least one step.
  void compare_steps() {
    const std::int64_t before = progress_.step - progress_.stage_step;
    const bool first = progress_.stage_index == 0;
    if (progress_.step < 0 || progress_.step > kMaxSteps || progress_.stage_step < 0 ||
        (first ? before != 0 : before < progress_.stage_index) ||
        progress_.step > progress_.total_steps)
      refuse("no run reaches step {} of {} with step {} of stage {}", grouped(progress_.step),
             grouped(progress_.total_steps), grouped(progress_.stage_step),
             progress_.stage_index + 1);
    else if (progress_.stage_step > stage_->steps && !length_was_changed(header_, plan_))
      refuse("it is at step {} of its stage, which has only {}", grouped(progress_.stage_step),
             grouped(stage_->steps));
  }

  // A stage ends at its last step, unless `until` or the time budget ended it or its length has
  // been changed since.
  void compare_end() {
    if (progress_.stage_done && progress_.stage_step < stage_->steps && !stage_->may_end_early() &&
        !length_was_changed(header_, plan_))
      refuse("it says that stage {} ended after {}, but the stage has {}", stage_->name,
             counted(progress_.stage_step, "step"), grouped(stage_->steps));
    if (stage_->growth && header_.lineage.empty())
      refuse("it says that it never grew, but stage {} begins with a growth", stage_->name);
  }

  // FLOPs must lie between the steps so far at the price of the cheapest and of the most expensive
  // stage.
  void compare_flops() {
    double least = std::numeric_limits<double>::infinity(), most = 0;
    double least_of_steps = least, most_of_steps = 0;  // bounds of the optimizer's FLOPs
    double others = 0;                                 // besides steps and selections, at most
    for (std::int64_t i = 0; i <= progress_.stage_index; ++i) {
      const plan::StagePlan& stage = plan_.stages[static_cast<std::size_t>(i)];
      const arch::ModelConfig& model = stage.model;
      // A policy, or training only new layers, has no lower bound on its FLOPs.
      const bool whole = !stage.train_only_new && !plan::stage_policy(stage);
      least = whole ? std::min(least, arch::flops_per_token(model, 1)) : 0;
      most = std::max({most, arch::flops_per_token(plan::executed_model(stage), model.context),
                       plan::expected_flops_per_token(stage).total});
      const double of_step =
          plan::optimizer_flops_per_step(plan_.schedule, model) + plan::policy_step_flops(stage);
      least_of_steps = whole ? std::min(least_of_steps, of_step) : 0;
      most_of_steps = std::max(most_of_steps, of_step);
      others += stage.fit.flops + stage.start.total;
      // The larger model may be gone, now that the stage's adapters have begun from it. And a state
      // that was merged into this one brought costs of its own.
      if ((plan::transplants(stage.policies) && !stage.larger) || takes_other_states(stage))
        others = std::numeric_limits<double>::infinity();
    }
    const double tokens = static_cast<double>(progress_.tokens), slack = 1 + 1e-6,
                 steps = static_cast<double>(progress_.step);
    if (progress_.flops * slack < tokens * least + steps * least_of_steps ||
        progress_.flops > (tokens * most + steps * most_of_steps + others + selections()) * slack)
      refuse("it says {} FLOPs, which cannot be the cost of {} tokens",
             short_count(progress_.flops), grouped(progress_.tokens));
  }

  // Returns the most FLOPs that the selections of data so far can have taken, wherever earlier
  // stages ended.
  double selections() const {
    const schedule::SelectSpec* select = plan::selection_of(plan_.schedule);
    if (!select) return 0;
    double pass = 0;
    for (const plan::StagePlan& stage : plan_.stages) {
      const std::int64_t windows = plan::windows_of(plan_.facts, stage.model.context);
      pass = std::max(pass, plan::selection_pass(*select, stage.model, windows).flops);
    }
    const double refresh = select->refresh.amount;
    const double refreshed = refresh > 0 ? static_cast<double>(progress_.step) / refresh : 0;
    return pass * (static_cast<double>(progress_.stage_index + 1) + refreshed);
  }

  void compare_data() {
    std::int64_t sequences = sequences_before(plan_.schedule, progress_.step);
    for (std::int64_t i = 0; i <= progress_.stage_index; ++i)
      sequences += plan_.stages[static_cast<std::size_t>(i)].fit.all_sequences();
    if (header_.data.index != sequences)
      refuse("it has read {} sequences, expected {} after {} steps", grouped(header_.data.index),
             grouped(sequences), grouped(progress_.step));
    std::int64_t least = stage_->model.context, most = stage_->model.context;
    for (std::int64_t i = 0; i < progress_.stage_index; ++i) {
      const std::int64_t context = plan_.stages[static_cast<std::size_t>(i)].model.context;
      least = std::min(least, context);
      most = std::max(most, context);
    }
    const double count = static_cast<double>(sequences);
    // With `from`, the tokens of that checkpoint's run count too, and only its file knows them.
    const double highest =
        plan_.schedule.from.empty() ? count * static_cast<double>(most) : kMaxTokens;
    const double tokens = static_cast<double>(progress_.tokens);
    if (tokens < count * static_cast<double>(least) || tokens > highest)
      refuse("it says that it was trained on {} tokens, which does not match {} steps",
             grouped(progress_.tokens), grouped(progress_.step));
    if (!std::isfinite(progress_.flops) || !(progress_.seconds >= 0) ||
        !std::isfinite(progress_.seconds))
      refuse("it says {} FLOPs and {} seconds, which cannot be", progress_.flops,
             progress_.seconds);
    else if (plan_.schedule.from.empty())  // with `from`, only that file knows what its run cost
      compare_flops();
  }

  void compare_mask() {
    if (header_.mask.steps == 0) return;
    const bool grown_so = stage_->growth && !header_.lineage.empty() &&
                          header_.lineage.back().model == stage_->growth->from;
    if (!grown_so || header_.mask.start < 0 || header_.mask.start > progress_.step ||
        header_.mask.steps < 0)
      refuse("it has a mask that stage {} does not create", stage_->name);
  }

  // A stage's adapters begin before its first step, where a run may be stopped.
  void compare_adapters() {
    const bool expected = stage_->policies.adapters.has_value();
    if (expected && progress_.stage_step == 0) return;
    if (expected == header_.adapters.none())
      refuse("it has {}, but stage {} has {} after {}", expected ? "no adapters" : "adapters",
             stage_->name, expected ? "some" : "none", counted(progress_.stage_step, "step"));
  }

  bool comes_later(const std::string& name) const {
    for (std::size_t i = 0; i < plan_.stages.size(); ++i)
      if (plan_.stages[i].name == name) return static_cast<std::int64_t>(i) > progress_.stage_index;
    return false;
  }

  // Models are compared in compare_stage. Paths of data, the micro-batch and recomputation do not
  // change what is trained.
  bool matters(const schedule::Difference& one) const {
    if (one.is_length() || one.is_model() || comes_later(one.stage())) return false;
    for (const char* key : {"data.", "batch.micro", "batch.recompute"})
      if (one.key.starts_with(key)) return false;
    return true;
  }

  void compare_schedule() {
    try {
      std::vector<schedule::Difference> found =
          schedule::key_differences(plan::resolved_yaml(plan_), header_.run.schedule);
      std::erase_if(found, [&](const auto& one) { return !matters(one); });
      for (schedule::Difference& one : found)
        one.there = in_quotes(one.there).substr(1, in_quotes(one.there).size() - 2);
      if (!found.empty()) refuse("{}", to_text(found));
    } catch (const Error&) {
      refuse("the schedule recorded in it cannot be read");
    }
  }

  const state::StateHeader& header_;
  const state::Progress& progress_;
  const plan::RunPlan& plan_;
  const plan::StagePlan* stage_ = nullptr;
  std::vector<std::string> reasons_;
};

}  // namespace

std::vector<std::string> mismatches(const state::StateHeader& header, const plan::RunPlan& plan) {
  return Comparison(header, plan).reasons();
}

bool length_was_changed(const state::StateHeader& header, const plan::RunPlan& plan) {
  try {
    for (const schedule::Difference& one :
         schedule::key_differences(plan::resolved_yaml(plan), header.run.schedule))
      if (one.is_length() && one.stage() == header.progress.stage) return true;
  } catch (const Error&) {
    // The recorded schedule cannot be read, so no length is known.
  }
  return false;
}

}  // namespace stagedtrain::train
