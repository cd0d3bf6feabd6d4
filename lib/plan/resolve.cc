// Decides every number of a schedule: models, recipes, steps, and the costs of stages.
#include <algorithm>
#include <cmath>

#include "checkpoint/checkpoint.h"
#include "grow/operator.h"
#include "grow/symmetry_advice.h"
#include "plan/chosen_stages.h"
#include "plan/decay.h"
#include "plan/memory.h"
#include "plan/parameterization.h"
#include "plan/run_plan.h"
#include "plan/selection_cost.h"
#include "plan/stage_policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;
constexpr std::int64_t kMaxStepTokens = std::int64_t{1} << 32;

const Tree& stage_place(const Schedule& s, std::size_t i) {
  return s.source.find("stages")->items[i];
}

// A model may have 0 layers, so the number of layers must be written.
void require_layers(const Tree& source) {
  const Tree* model = source.find("model");
  if (!model || model->kind != Tree::Kind::map || model->find("layers")) return;
  throw model->error("model.layers is missing, expected a number of layers")
      .with_hint("0 is a model of embeddings, a final norm and a head alone");
}

arch::ModelConfig final_model(const Schedule& s) {
  require_layers(s.source);
  const Tree* at = s.source.find("model");
  return parameterized_at(at ? *at : s.source, "model", s, s.model);
}

// Returns the first stage's model: the final model with the stage's own keys.
arch::ModelConfig first_model(const Schedule& s) {
  const Tree& over = s.stages[0].model;
  if (over.kind == Tree::Kind::none) return final_model(s);
  const std::string path = "stages.0.model";
  return parameterized_at(over, path, s, model_with_keys(over, path, s));
}

// Fills in steps, tokens and flops of a stage whose length is `amount` in `unit`.
void measure(const Schedule& s, StagePlan& stage, double amount, DurationUnit unit) {
  const auto step_sums = [&] {  // for the stage's length as it is now known
    return StepSums(
        s, stage.model,
        [&](std::int64_t length) { return expected_flops_per_token(stage, length).total; },
        expected_optimizer_flops(s, stage));
  };
  // The length is not known yet, but means over a stage hardly depend on it. 27720 can be divided
  // into 1 to 12 equal parts.
  stage.steps = 27720;
  const StepSums sums = step_sums();
  const double steps = unit == DurationUnit::steps ? std::ceil(amount * (1 - 1e-12))
                       : unit == DurationUnit::flops
                           ? sums.steps_for_flops(stage.first_step, amount)
                           : sums.steps_for_tokens(stage.first_step, amount);
  stage.steps = whole_steps(steps);
  const std::int64_t end = stage.first_step + stage.steps;
  stage.tokens = sums.tokens(stage.first_step, end);
  stage.flops = step_sums().flops(stage.first_step, end);
  if (static_cast<double>(stage.tokens) > kMaxTokens)
    throw usage_error("{:.3g} tokens, expected at most {:.0e}", static_cast<double>(stage.tokens),
                      kMaxTokens);
}

void measure_stage(const Schedule& s, const Duration& length, const DataFacts& facts,
                   StagePlan& stage) {
  ST_CHECK(length.unit != DurationUnit::automatic, "the length of {} is not chosen", stage.name);
  if (length.unit != DurationUnit::epochs) return measure(s, stage, length.amount, length.unit);
  const std::optional<double> epoch = epoch_tokens(facts, stage.model.context);
  if (!epoch)
    throw usage_error("'{}': the length of an epoch is unknown without the file data.train",
                      to_string(length));
  const auto context = static_cast<double>(stage.model.context);
  measure(s, stage, std::ceil(length.amount * *epoch / context) * context, DurationUnit::tokens);
}

void check_step_tokens(const Schedule& s, const arch::ModelConfig& model) {
  if (s.batch.sequences > kMaxStepTokens / model.context)
    throw s.source.error("batch.sequences {} of {} tokens: expected at most {} tokens in a step",
                         s.batch.sequences, model.context, grouped(kMaxStepTokens));
}

// Converts an estimate to an integer; one that is too large becomes 2^63.
std::uint64_t whole_bytes(double bytes) {
  return static_cast<std::uint64_t>(std::min(bytes, 0x1p63));
}

void fill_costs(const Schedule& s, StagePlan& stage) {
  stage.params = arch::count_params(stage.model);
  stage.checkpoint_bytes = state::checkpoint_bytes(
      stage.model, s.precision == schedule::Precision::fp64 ? state::DType::f64 : state::DType::f32,
      s.ema.has_value());
  stage.memory_bytes =
      whole_bytes(training_memory(s, executed_model(stage), stage.params.total).total() +
                  policy_memory(s, stage));
  if (stage.growth)
    stage.growth_memory_bytes = whole_bytes(std::max(
        growth_memory(s, arch::count_params(stage.growth->from).total, stage.params.total) +
            prediction_memory(s, *stage.growth),
        fit_memory(s, *stage.growth)));
}

// Fills in model and growth of stage i. `before` is the model before it, if there is one.
void fill_model(const Schedule& s, std::size_t i, const std::optional<arch::ModelConfig>& before,
                StagePlan& stage) {
  const std::string path = "stages." + std::to_string(i);
  if (i == 0 && s.stages[0].grow.kind == Tree::Kind::none) {
    stage.model = first_model(s);
    if (before && *before != stage.model)
      throw stage_place(s, i).error("{}: the checkpoint {} holds {}, expected {}", path, s.from,
                                    describe(*before), describe(stage.model));
    return;
  }
  ST_CHECK(before, "{}: the model that grows is not known", path);
  stage.growth = grow::make_recipe(s.stages[i].grow, *before, path + ".grow");
  stage.model = stage.growth->to;
  stage.fit = fit_cost(s, *stage.growth);
}

// Whether two models are the same except for norm_eps. A growth that pads the residual stream
// changes norm_eps (docs/growth.md), which users should not have to compute.
bool same_sizes(arch::ModelConfig grown, const arch::ModelConfig& asked) {
  grown.norm_eps = asked.norm_eps;
  return grown == asked;
}

void check_train_only(const Schedule& s, std::size_t i, const StagePlan& stage) {
  if (!stage.train_only_new) return;
  const auto is_new = [](const grow::TensorRecipe& made) { return made.is_new; };
  const bool adds =
      stage.growth &&
      std::any_of(stage.growth->steps.begin(), stage.growth->steps.end(), [&](const auto& step) {
        return std::any_of(step.tensors.begin(), step.tensors.end(), is_new);
      });
  if (!adds)
    throw stage_place(s, i).error(
        "stages.{}.train_only: found new, but this stage adds no layer and no expert: it would "
        "train nothing",
        i);
}

// Returns which tensors of the grown model were there before it, as grow::grown_header() decides.
std::vector<bool> not_added_by(const grow::GrowthRecipe& growth) {
  std::vector<bool> old;
  for (const grow::GrowthStep& step : growth.steps) {
    std::vector<bool> next;
    for (const grow::TensorRecipe& made : step.tensors) {
      const bool heir_of_added = made.heir_of && !old.empty() && !old[*made.heir_of];
      next.push_back(!made.is_new && !heir_of_added);
    }
    old = std::move(next);
  }
  return old;
}

void add_warnings(RunPlan& plan) {
  const Schedule& s = plan.schedule;
  for (std::size_t i = 0; i + 1 < plan.stages.size(); ++i)
    if (plan.stages[i].params.total > plan.stages[i + 1].params.total &&
        !plan.stages[i + 1].growth->shrinks())
      plan.warnings.push_back(
          fmt::format("stage {} is smaller than the one before", s.stages[i + 1].name));
  for (const StagePlan& stage : plan.stages)
    if (stage.growth && stage.growth->symmetric() && s.dropout == 0)
      plan.warnings.push_back(
          fmt::format("stage {}: copies receive identical gradients and stay equal, so the larger "
                      "model never gains capacity; give {}",
                      stage.name, grow::symmetry_advice(*stage.growth)));
  const std::int64_t decay_begin = plan.total_steps - plan.decay_steps;
  for (const StagePlan& stage : plan.stages)
    if (stage.growth && plan.decay_steps > 0 && stage.first_step > decay_begin)
      plan.warnings.push_back(fmt::format(
          "stage {} grows inside the decay (after step {}; the decay begins after step {}): the "
          "grown model never trains at the peak rate",
          stage.name, grouped(stage.first_step), grouped(decay_begin)));
  if (plan.warmup_steps + plan.decay_steps > plan.total_steps)
    plan.warnings.push_back(
        fmt::format("lr: warm-up ({} steps) and decay ({} steps) overlap in {} steps",
                    plan.warmup_steps, plan.decay_steps, plan.total_steps));
  if (!plan.decayed)
    plan.warnings.push_back(
        "the learning rate never decays, so the end of this run cannot be compared (a decay needs "
        "lr.curve linear, cosine or wsd, lr.floor below 1, and at least 2 steps after the "
        "warm-up)");
}

Every every_of(const Duration& length) {
  const auto amount = static_cast<std::int64_t>(std::ceil(std::min(length.amount, 2 * kMaxTokens)));
  return length.unit == DurationUnit::tokens ? Every{.tokens = amount} : Every{.steps = amount};
}

void resolve_lr(RunPlan& plan) {
  const Schedule& s = plan.schedule;
  plan.warmup_steps = std::min(steps_along(plan, s.lr.warmup, 0), plan.total_steps);
  plan.decay_steps = s.lr.curve == "wsd" ? steps_before_end(plan, s.lr.decay) : 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const auto& own = s.stages[i].lr;
    plan.stages[i].peak_lr = own && own->peak ? *own->peak : s.lr.peak;
    if (i > 0 && plan.stages[i].growth)  // the first stage has the warm-up instead
      plan.stages[i].rewarm_steps = steps_along(
          plan, own && own->rewarm ? *own->rewarm : s.lr.rewarm, plan.stages[i].first_step);
  }
  plan.decayed = ends_decayed(plan, plan.total_steps, 0);
}

}  // namespace

std::int64_t whole_steps(double steps) {
  if (!(std::abs(steps) <= kMaxSteps))
    throw usage_error("{:.3g} steps, expected at most {:.0e}", steps, kMaxSteps);
  return std::llround(steps);
}

const char* role_name(Role role) { return role == Role::staged ? "staged" : "scratch"; }

std::optional<double> epoch_tokens(const DataFacts& facts, std::int64_t context) {
  const std::int64_t windows = windows_of(facts, context);
  if (windows < 1) return {};
  return static_cast<double>(windows) * static_cast<double>(context);
}

bool is_due(const Every& every, std::int64_t step, std::int64_t tokens, std::int64_t last_tokens) {
  if (every.steps > 0) return step % every.steps == 0;
  return every.tokens > 0 && tokens / every.tokens != (tokens - last_tokens) / every.tokens;
}

std::int64_t last_due(const Every& every, const StepSums& sums, std::int64_t first_step,
                      std::int64_t step, std::int64_t tokens) {
  const std::int64_t last = step - 1;
  if (last <= first_step) return first_step;
  if (every.steps > 0) return std::max(first_step, last / every.steps * every.steps);
  const std::int64_t beyond = (tokens - sums.tokens(last, step)) % every.tokens;
  std::int64_t back = sums.steps_before(first_step, last, static_cast<double>(beyond) + 1);
  if (sums.tokens(last - back, last) > beyond) --back;
  return last - back;
}

// A length that no run can reach becomes 2 kMaxSteps.
std::int64_t steps_along(const RunPlan& plan, const Duration& length, std::int64_t first_step) {
  const auto whole = [](double steps) { return std::llround(std::min(steps, 2 * kMaxSteps)); };
  if (length.unit == DurationUnit::percent)
    return whole(length.amount * static_cast<double>(plan.total_steps) / 100);
  if (length.unit == DurationUnit::steps) return whole(length.amount);
  double left = length.amount;
  std::int64_t at = first_step;
  for (const StagePlan& stage : plan.stages) {
    const bool is_last = &stage == &plan.stages.back();
    const std::int64_t end = stage.first_step + stage.steps;
    if (at >= end && !is_last) continue;
    const StepSums sums(plan.schedule, stage.model);
    const double needed = sums.steps_for_tokens(at, left);
    if (is_last || needed <= static_cast<double>(end - at))
      return whole(static_cast<double>(at - first_step) + needed);
    left -= static_cast<double>(sums.tokens(at, end));
    at = end;
  }
  return 0;
}

std::int64_t steps_before_end(const RunPlan& plan, const Duration& length) {
  if (length.unit != DurationUnit::tokens)
    return std::min(steps_along(plan, length, 0), plan.total_steps);
  double left = length.amount;
  std::int64_t steps = 0;
  for (auto stage = plan.stages.rbegin(); stage != plan.stages.rend() && left > 0; ++stage) {
    const StepSums sums(plan.schedule, stage->model);
    const std::int64_t end = stage->first_step + stage->steps;
    const std::int64_t held = sums.steps_before(stage->first_step, end, left);
    left -= static_cast<double>(sums.tokens(end - held, end));
    steps += held;
  }
  return steps;
}

double optimizer_flops(const RunPlan& plan, const StagePlan& stage) {
  return expected_optimizer_flops(plan.schedule, stage) * static_cast<double>(stage.steps);
}

RunPlan resolve(const Schedule& s, const DataFacts& facts,
                const std::optional<arch::ModelConfig>& start_model) {
  RunPlan plan;
  plan.schedule = s;
  plan.facts = facts;
  plan.final_model = final_model(s);
  check_step_tokens(s, plan.final_model);
  std::optional<arch::ModelConfig> before = start_model;
  SelectionPlace newest;
  for (std::size_t i = 0; i < s.stages.size(); ++i) {
    StagePlan stage;
    stage.name = s.stages[i].name;
    stage.first_step = plan.total_steps;
    fill_model(s, i, before, stage);
    check_step_tokens(s, stage.model);
    stage.train_only_new = s.stages[i].train_only == schedule::TrainOnly::only_new;
    check_train_only(s, i, stage);
    if (stage.train_only_new) {
      stage.old_tensors = not_added_by(*stage.growth);
      stage.trained = arch::trained_parts(stage.model, stage.old_tensors);
    }
    set_policy(s, facts, i, stage);
    fill_costs(s, stage);
    at_place(stage_place(s, i), "stages." + std::to_string(i) + ".for",
             [&] { measure_stage(s, s.stages[i].length, facts, stage); });
    check_policy(s, i, stage);
    if (const auto& until = s.stages[i].until) {
      stage.until_loss = until->loss;
      stage.until_slope = parse_number(until->slope);
    }
    plan.total_steps += stage.steps;
    plan.tokens += stage.tokens + stage.fit.tokens;
    add_selection_cost(plan, newest, stage);
    plan.flops += stage.flops + stage.other_flops();
    before = stage.model;
    plan.stages.push_back(std::move(stage));
  }
  if (!same_sizes(plan.stages.back().model, plan.final_model))
    throw stage_place(s, s.stages.size() - 1)
        .error("stages do not end at the final model: '{}' is {}, model is {}",
               s.stages.back().name, describe(plan.stages.back().model), describe(plan.final_model))
        .with_hint(
            "let the last stage's grow make the final model, or change model; "
            "stagedtrain grow --list names the operators");
  if (plan.total_steps > static_cast<std::int64_t>(kMaxSteps))
    throw s.source.error("stages: {} steps together, expected at most {:.0e}",
                         grouped(plan.total_steps), kMaxSteps);
  resolve_lr(plan);
  if (s.budget) plan.stages.back().until_seconds = s.budget->time.amount;
  plan.evaluate_every = every_of(s.evaluate.every);
  if (s.sample) plan.sample_every = every_of(s.sample->every);
  if (s.checkpoint.every.unit == DurationUnit::seconds) {
    plan.checkpoint_seconds = s.checkpoint.every.amount;
  } else {
    plan.checkpoint_every = every_of(s.checkpoint.every);
  }
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    if (plan.stages[i].until_slope && plan.evaluate_every.only_at_ends())
      throw stage_place(s, i).error(
          "stages.{}: until.slope is checked when the validation loss is measured, but "
          "evaluate.every is 0",
          i);
  add_warnings(plan);
  return plan;
}

arch::ModelConfig source_model(const Schedule& s, std::size_t index,
                               const std::optional<arch::ModelConfig>& start_model) {
  std::optional<arch::ModelConfig> model = start_model;
  for (std::size_t i = 0; i < index; ++i) {
    StagePlan stage;
    fill_model(s, i, model, stage);
    model = stage.model;
  }
  return *model;
}

}  // namespace stagedtrain::plan
