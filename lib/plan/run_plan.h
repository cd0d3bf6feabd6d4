// What will happen: a schedule with every number decided.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/cost.h"
#include "arch/step_flops.h"
#include "base/json.h"
#include "grow/recipe.h"
#include "plan/step_sums.h"
#include "plan/transfer.h"
#include "runlog/prediction.h"
#include "schedule/schedule.h"

namespace stagedtrain::plan {

// The longest stage or run that is planned.
inline constexpr double kMaxSteps = 1e9, kMaxTokens = 1e15;
// The nearest whole number of steps. Throws Error(usage) for more than kMaxSteps and for what is no
// number: what people give may come to anything.
std::int64_t whole_steps(double steps);

struct StagePlan {
  std::string name;
  arch::ModelConfig model;
  arch::ParamCount params;
  bool train_only_new = false;               // what the growth before did not add stays as it is
  arch::TrainedParts trained;                // by train_only
  std::optional<schedule::LayerDropoutSpec> layer_dropout;
  std::optional<schedule::LayerPathSpec> layer_path;
  std::optional<grow::GrowthRecipe> growth;  // from the stage before, or from the checkpoint `from`
  std::int64_t first_step = 0, steps = 0;    // as planned; `until` may end the stage sooner
  std::int64_t tokens = 0;
  double flops = 0;  // as executed: expected, where a policy draws what runs
  double peak_lr = 0;
  std::int64_t rewarm_steps = 0;
  std::optional<double> until_loss, until_slope;
  std::optional<double> predicted_loss;  // at its end, by the law of schedule.plan
  std::uint64_t memory_bytes = 0;  // estimate: weights, gradients, moments, activations, logits
  std::uint64_t growth_memory_bytes = 0;  // both states during the growth, 0 without one
  std::uint64_t checkpoint_bytes = 0;

  // Whether every step runs and trains the whole model.
  bool is_whole() const { return !train_only_new && !layer_dropout && !layer_path; }
};

// Facts that only the token file knows; without them durations in epochs are refused.
struct DataFacts {
  std::optional<std::int64_t> train_tokens;  // in the whole file
  std::string train_fingerprint;             // hexadecimal, as in run.jsonl; "": unknown
};
// Tokens that one epoch trains on at this context: whole windows. Nothing if the file is unknown.
std::optional<double> epoch_tokens(const DataFacts& facts, std::int64_t context);

// How often something happens: after so many steps of the run, or whenever the run's tokens have
// passed another multiple of `tokens`. Both 0: at the end of stages only.
struct Every {
  std::int64_t steps = 0, tokens = 0;
  bool operator==(const Every&) const = default;
  bool only_at_ends() const { return steps == 0 && tokens == 0; }
};
// Whether it happens after this step: `step` steps and `tokens` tokens are behind the run, the last
// step had last_tokens of them.
bool is_due(const Every& every, std::int64_t step, std::int64_t tokens, std::int64_t last_tokens);
// The last step before `step` after which it was due, at the earliest the stage's first step.
// tokens: of the run up to `step`; sums: of the stage's steps.
std::int64_t last_due(const Every& every, const StepSums& sums, std::int64_t first_step,
                      std::int64_t step, std::int64_t tokens);

enum class Role { staged, scratch };
const char* role_name(Role role);

struct RunPlan {
  schedule::Schedule schedule;
  DataFacts facts;
  Role role = Role::staged;
  std::vector<StagePlan> stages;
  arch::ModelConfig final_model;
  std::int64_t total_steps = 0;  // length of the learning-rate curve
  std::int64_t tokens = 0;
  double flops = 0;
  std::int64_t warmup_steps = 0, decay_steps = 0;
  Every evaluate_every, checkpoint_every;
  double checkpoint_seconds = 0;  // of training, in place of checkpoint_every; 0: not by time
  // Steps whose state `train` keeps in RUN/branch.h5, for a longer run to start from (scratch
  // only).
  std::optional<std::int64_t> branch_step;
  bool decayed = false;             // the curve ends fully decayed
  std::string predicted_by;         // law and assumption of the predicted losses
  Transfer transfer;                // that assumption; loss-state if the schedule names none
  runlog::Prediction prediction;    // of the whole run; set by predict() (plan/predict.h)
  std::vector<std::string> chosen;  // what the planner chose where the schedule said auto, and why
  std::vector<std::string> warnings;
};

// Decides every number; the schedule says auto nowhere (see choose.h). Throws Error(usage) at the
// place in the schedule: models that do not resolve, stages that do not grow into the final model,
// durations that come to nothing. start_model: the model of the checkpoint `from`, if there is one.
RunPlan resolve(const schedule::Schedule& schedule, const DataFacts& facts = {},
                const std::optional<arch::ModelConfig>& start_model = {});

// The steps of a length in steps, tokens or % of the run's steps, counted from first_step on. Each
// step has its own stage's context and batch; beyond the plan's end the last stage goes on.
std::int64_t steps_along(const RunPlan& plan, const Duration& length, std::int64_t first_step);
// The same counted back from the run's end: at most all its steps.
std::int64_t steps_before_end(const RunPlan& plan, const Duration& length);

// The model that stage `index` grows out of. Looks at the stages before it alone. start_model: that
// of the checkpoint `from`; needed where the first stage has a `grow`.
arch::ModelConfig source_model(const schedule::Schedule& schedule, std::size_t index,
                               const std::optional<arch::ModelConfig>& start_model = {});

// The runs of `train --scratch`: the final model alone, one plan for each budget, shortest first.
// Runs of a wsd curve share their stable part: each but the last keeps a branch.
std::vector<RunPlan> resolve_scratch(const RunPlan& staged);

// The optimizer's part of a stage's FLOPs (optimizer_flops_per_step).
double optimizer_flops(const RunPlan& plan, const StagePlan& stage);

// The learning rate of a step of a stage, with the run's total as it is now known.
double learning_rate(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                     std::int64_t stage_step, std::int64_t total_steps);

// The table for people, and all numbers for machines. sections: text put before the comparison
// from scratch; warnings: lines after the plan's own.
std::string to_text(const RunPlan& plan, const std::vector<RunPlan>& scratch = {},
                    const std::string& sections = "",
                    const std::vector<std::string>& warnings = {});
Json to_json(const RunPlan& plan, const std::vector<RunPlan>& scratch = {});
Json to_json(const arch::ModelConfig& model);
// How often the run reads the whole training text; nothing if that is not known.
std::optional<double> epochs(const RunPlan& plan);
// The schedule with every default and every resolved size, as YAML.
std::string resolved_yaml(const RunPlan& plan);

}  // namespace stagedtrain::plan
