// What will a run do? A schedule with every number decided.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "arch/cost.h"
#include "arch/step_flops.h"
#include "grow/recipe.h"
#include "plan/map_fit.h"
#include "plan/step_sums.h"
#include "policies/policy.h"
#include "policies/window_selection.h"
#include "runlog/prediction.h"
#include "scaling/transfer.h"
#include "schedule/schedule.h"
#include "text/json_fwd.h"

namespace stagedtrain::plan {

// The longest stage or run that can be planned.
inline constexpr double kMaxSteps = 1e9, kMaxTokens = 1e15;
// Returns the nearest whole number of steps. Throws Error(usage) for more than kMaxSteps and for
// NaN, which a user's lengths may result in.
std::int64_t whole_steps(double steps);

struct StagePlan {
  std::string name;
  arch::ModelConfig model;
  arch::ParamCount params;
  bool train_only_new = false;    // trains only what its growth added
  std::vector<bool> old_tensors;  // with train_only_new: those that its growth did not add
  arch::TrainedParts trained;     // the parts that train_only trains
  schedule::Policies policies;    // at most one is on
  std::optional<arch::ModelConfig> larger;  // in the checkpoint that its adapters begin from
  arch::TokenFlops start;  // what its policy costs before the first step, all tokens together
  std::optional<grow::GrowthRecipe> growth;  // from the stage before, or from the checkpoint `from`
  FitCost fit;                               // what fitting that growth costs before the first step
  SelectionCost selection;                   // what choosing its training data costs
  std::int64_t first_step = 0, steps = 0;    // planned; `until` may end the stage sooner
  std::int64_t tokens = 0;                   // trained on in the steps
  double flops = 0;  // executed by the steps; an expected value if a policy draws layers
  // The FLOPs besides those of the steps.
  double other_flops() const { return fit.flops + selection.flops + start.total; }
  double peak_lr = 0;
  std::int64_t rewarm_steps = 0;
  std::optional<double> until_loss, until_slope;
  double until_seconds = 0;              // budget.time, in the last stage; 0 without one
  std::optional<double> predicted_loss;  // nats at its end, by the law of schedule.plan
  std::uint64_t memory_bytes = 0;  // estimate: weights, gradients, moments, activations, logits
  std::uint64_t growth_memory_bytes = 0;  // both states during the growth, 0 without one
  std::uint64_t checkpoint_bytes = 0;

  // Whether it may have fewer steps than planned.
  bool may_end_early() const { return until_loss || until_slope || until_seconds > 0; }
  // Whether every step runs and trains the whole model.
  bool is_whole() const { return !train_only_new && !policy_of(policies); }
};

// Facts from the files that a schedule names. Without those of the token file, durations in epochs
// are refused.
struct DataFacts {
  std::optional<std::int64_t> train_tokens;         // in the whole file
  std::string train_fingerprint;                    // hexadecimal, as in run.jsonl; "": unknown
  std::map<std::string, arch::ModelConfig> larger;  // in checkpoints of adapters.from, by path
};
// Returns the tokens of one epoch at this context, in whole windows; nothing if the file is not
// known or too short for one window.
std::optional<double> epoch_tokens(const DataFacts& facts, std::int64_t context);

// How often something happens: every `steps` steps of the run, or whenever the run's tokens pass a
// multiple of `tokens`. If both are 0, only at the ends of stages.
struct Every {
  std::int64_t steps = 0, tokens = 0;
  bool operator==(const Every&) const = default;
  bool only_at_ends() const { return steps == 0 && tokens == 0; }
};
// Whether it happens after a step. The run has made `step` steps with `tokens` tokens, of which the
// last step had last_tokens.
bool is_due(const Every& every, std::int64_t step, std::int64_t tokens, std::int64_t last_tokens);
// Returns the last step before `step` after which it was due, or the stage's first step if there is
// none. `tokens` are those of the run up to `step`; `sums` are those of the stage's steps.
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
  std::int64_t tokens = 0;       // total of all stages and the fits of their growths
  double flops = 0;              // of all stages, with fits and selections of data
  std::int64_t warmup_steps = 0, decay_steps = 0;
  Every evaluate_every, sample_every, checkpoint_every;
  double checkpoint_seconds = 0;  // replaces checkpoint_every; 0: not by time
  // The step whose state `train` keeps in RUN/branch.h5 for a longer scratch run to start from.
  std::optional<std::int64_t> branch_step;
  bool decayed = false;             // the curve ends fully decayed
  std::string predicted_by;         // the law and the assumption of the predicted losses
  Transfer transfer;                // the assumption; loss-state if the schedule names none
  runlog::Prediction prediction;    // for the whole run, from predict() (forecast/predict.h)
  std::vector<std::string> chosen;  // messages: what the planner chose for each auto, and why
  std::vector<std::string> warnings;
};

// Decides every number. The schedule must not contain auto (choose.h replaces it). start_model is
// the model of the checkpoint `from`, if there is one. Throws Error(usage) at the position in the
// schedule for models that do not resolve, stages that do not grow into the final model, and
// lengths that cannot be converted into steps.
RunPlan resolve(const schedule::Schedule& schedule, const DataFacts& facts = {},
                const std::optional<arch::ModelConfig>& start_model = {});

// Converts a length in steps, tokens or % of the run's steps into steps, counted from first_step
// on. Each step has the context and the batch of its own stage; the last stage is extended beyond
// the plan's end.
std::int64_t steps_along(const RunPlan& plan, const Duration& length, std::int64_t first_step);
// The same counted back from the run's end; at most all of its steps.
std::int64_t steps_before_end(const RunPlan& plan, const Duration& length);

// Returns the model that stage `index` grows out of, from the stages before it alone. start_model
// is that of the checkpoint `from`; it is required if the first stage has a `grow`.
arch::ModelConfig source_model(const schedule::Schedule& schedule, std::size_t index,
                               const std::optional<arch::ModelConfig>& start_model = {});

// Returns the plans of `train --scratch`: the final model alone, one plan for each budget, shortest
// first. Runs with a wsd curve share their stable part, so each but the last has a branch_step.
// Throws Error(usage) for a budget of less than a step.
std::vector<RunPlan> resolve_scratch(const RunPlan& staged);

// Returns the optimizer's part of a stage's FLOPs (optimizer_flops_per_step).
double optimizer_flops(const RunPlan& plan, const StagePlan& stage);

// Returns the learning rate of a step of a stage. `step` counts over the run and stage_step over
// the stage; total_steps is the length of the run as it is now known.
double learning_rate(const RunPlan& plan, const StagePlan& stage, std::int64_t step,
                     std::int64_t stage_step, std::int64_t total_steps);

// Prints the plan as text, and all numbers as JSON. `sections` is text inserted before the
// comparison with runs from scratch; `warnings` are printed after the plan's own.
std::string to_text(const RunPlan& plan, const std::vector<RunPlan>& scratch = {},
                    const std::string& sections = "",
                    const std::vector<std::string>& warnings = {});
Json to_json(const RunPlan& plan, const std::vector<RunPlan>& scratch = {});
Json to_json(const arch::ModelConfig& model);
// Returns how often the run reads the whole training text; nothing if that is not known.
std::optional<double> epochs(const RunPlan& plan);
// Returns the schedule with every default and every resolved size, as YAML.
std::string resolved_yaml(const RunPlan& plan);

}  // namespace stagedtrain::plan
