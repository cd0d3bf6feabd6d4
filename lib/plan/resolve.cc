// From a schedule to a plan: models, recipes, steps.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "grow/operator.h"
#include "plan/decay.h"
#include "plan/memory.h"
#include "plan/run_plan.h"
#include "state/checkpoint.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;
constexpr double kMaxSteps = 1e9, kMaxTokens = 1e15;
constexpr std::int64_t kMaxStepTokens = std::int64_t{1} << 32;

const Tree& stage_place(const Schedule& s, std::size_t i) {
  return s.source.find("stages")->items[i];
}

arch::ModelConfig final_model(const Schedule& s) {
  const Tree* at = s.source.find("model");
  return at_place(at ? *at : s.source, "model", [&] { return arch::resolved(s.model); });
}

// The first stage's model: the final one with the stage's keys put over it.
arch::ModelConfig first_model(const Schedule& s) {
  const Tree& over = s.stages[0].model;
  if (over.kind == Tree::Kind::none) return final_model(s);
  arch::ModelConfig model = s.model;
  read_fields(over, model, "stages.0.model");
  return at_place(over, "stages.0.model", [&] { return arch::resolved(model); });
}

// What single steps of a stage cost. FLOPs per token are counted again only when the length of
// the sequences has changed: a ramp has many steps and few lengths.
class StepCosts {
 public:
  StepCosts(const Schedule& s, const arch::ModelConfig& model) : s_(s), model_(model) {}
  std::int64_t tokens(std::int64_t step) const { return sequences_at(s_, step) * model_.context; }
  double flops(std::int64_t step) {
    const std::int64_t length = length_at(s_, model_, step);
    if (length != length_) flops_per_token_ = arch::flops_per_token(model_, length);
    length_ = length;
    return static_cast<double>(tokens(step)) * flops_per_token_;
  }

 private:
  const Schedule& s_;
  const arch::ModelConfig& model_;
  std::int64_t length_ = 0;
  double flops_per_token_ = 0;
};

std::int64_t ramp_end(const Schedule& s) {
  std::int64_t end = 0;
  for (const auto& ramp : {s.batch.size_warmup, s.batch.length_warmup})
    if (ramp) end = std::max(end, ramp->over);
  return end;
}

// Fills steps, tokens and flops of a stage that lasts `amount` of unit, from its first step on.
void measure(const Schedule& s, StagePlan& stage, double amount, DurationUnit unit) {
  const auto done = [&] {
    const double now = unit == DurationUnit::steps   ? static_cast<double>(stage.steps)
                       : unit == DurationUnit::flops ? stage.flops
                                                     : static_cast<double>(stage.tokens);
    return amount - now;
  };
  StepCosts costs(s, stage.model);
  const std::int64_t ramp = ramp_end(s);
  while (done() > 0 && stage.first_step + stage.steps < ramp) {
    const std::int64_t step = stage.first_step + stage.steps;
    ++stage.steps;
    stage.tokens += costs.tokens(step);
    stage.flops += costs.flops(step);
  }
  if (done() <= 0) return;
  const std::int64_t tokens = costs.tokens(stage.first_step + stage.steps);
  const double flops = costs.flops(stage.first_step + stage.steps);
  const double each = unit == DurationUnit::steps   ? 1
                      : unit == DurationUnit::flops ? flops
                                                    : static_cast<double>(tokens);
  const double more = std::ceil(done() / each * (1 - 1e-12));
  if (more > kMaxSteps) throw usage_error("{:.3g} steps, expected at most {:.0e}", more, kMaxSteps);
  if (more * static_cast<double>(tokens) > kMaxTokens)
    throw usage_error("{:.3g} tokens, expected at most {:.0e}", more * static_cast<double>(tokens),
                      kMaxTokens);
  stage.steps += static_cast<std::int64_t>(more);
  stage.tokens += static_cast<std::int64_t>(more) * tokens;
  stage.flops += more * flops;
}

void measure_stage(const Schedule& s, const Duration& length, const DataFacts& facts,
                   StagePlan& stage) {
  ST_CHECK(length.unit != DurationUnit::automatic, "the length of {} is not chosen", stage.name);
  if (length.unit != DurationUnit::epochs) return measure(s, stage, length.amount, length.unit);
  if (!facts.train_windows)
    throw usage_error("'{}': the length of an epoch is unknown without the file data.train",
                      to_string(length));
  measure(s, stage,
          std::ceil(length.amount * static_cast<double>(*facts.train_windows)) *
              static_cast<double>(stage.model.context),
          DurationUnit::tokens);
}

void fill_costs(const Schedule& s, StagePlan& stage) {
  stage.params = arch::count_params(stage.model);
  stage.checkpoint_bytes = state::checkpoint_bytes(
      stage.model,
      s.precision == schedule::Precision::fp64 ? state::DType::f64 : state::DType::f32);
  stage.memory_bytes =
      static_cast<std::uint64_t>(training_memory(s, stage.model, stage.params.total).total());
  if (stage.growth)
    stage.growth_memory_bytes = static_cast<std::uint64_t>(
        growth_memory(s, arch::count_params(stage.growth->from).total, stage.params.total));
}

// Model and growth of stage i, given the model before it (none: fresh).
void fill_model(const Schedule& s, std::size_t i, const std::optional<arch::ModelConfig>& before,
                StagePlan& stage) {
  const std::string path = "stages." + std::to_string(i);
  if (i == 0) {
    stage.model = first_model(s);
    if (before && *before != stage.model)
      throw stage_place(s, i).error("{}: the checkpoint {} holds {}, expected {}", path, s.from,
                                    describe(*before), describe(stage.model));
    return;
  }
  stage.growth = grow::make_recipe(s.stages[i].grow, *before, path + ".grow");
  stage.model = stage.growth->to;
}

const Tree& budgets_place(const Schedule& s) {
  const Tree* scratch = s.source.find("scratch");
  const Tree* budgets = scratch ? scratch->find("budgets") : nullptr;
  return budgets ? *budgets : s.source;
}

// A growth that pads the residual stream changes norm_eps with it (docs/growth.md); nobody should
// have to compute that.
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
        "stages.{}.train_only: new, but this stage adds no layer and no expert: nothing would be "
        "trained",
        i);
}

void add_warnings(RunPlan& plan) {
  const Schedule& s = plan.schedule;
  for (std::size_t i = 0; i + 1 < plan.stages.size(); ++i)
    if (plan.stages[i].params.total > plan.stages[i + 1].params.total &&
        plan.stages[i + 1].growth->asked().find("operator: coalesce") == std::string::npos)
      plan.warnings.push_back(
          fmt::format("stage {} is smaller than the one before", s.stages[i + 1].name));
  for (const StagePlan& stage : plan.stages)
    if (stage.growth && stage.growth->symmetric() && s.dropout == 0)
      plan.warnings.push_back(
          fmt::format("stage {}: copies stay equal for ever, so the larger model remains the small "
                      "one in disguise; give symmetry.noise, or moments: reset_new",
                      stage.name));
  if (plan.warmup_steps + plan.decay_steps > plan.total_steps)
    plan.warnings.push_back(
        fmt::format("lr: warm-up ({} steps) and decay ({} steps) overlap in {} steps",
                    plan.warmup_steps, plan.decay_steps, plan.total_steps));
  if (!plan.decayed)
    plan.warnings.push_back(
        "the learning rate never decays: the end of such a run must not be compared (a decay needs "
        "lr.curve linear, cosine or wsd, lr.floor below 1, and at least 2 steps after the "
        "warm-up)");
}

void resolve_lr(RunPlan& plan) {
  const Schedule& s = plan.schedule;
  plan.warmup_steps = std::min(steps_along(plan, s.lr.warmup), plan.total_steps);
  plan.decay_steps =
      s.lr.curve == "wsd" ? std::min(steps_along(plan, s.lr.decay), plan.total_steps) : 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const auto& own = s.stages[i].lr;
    plan.stages[i].peak_lr = own && own->peak ? *own->peak : s.lr.peak;
    if (plan.stages[i].growth)
      plan.stages[i].rewarm_steps =
          steps_along(plan, own && own->rewarm ? *own->rewarm : s.lr.rewarm);
  }
  plan.decayed = ends_decayed(plan, plan.total_steps, 0);
}

}  // namespace

const char* role_name(Role role) { return role == Role::staged ? "staged" : "scratch"; }

// What no run can reach stays just that.
std::int64_t steps_along(const RunPlan& plan, const Duration& length) {
  const schedule::Schedule& s = plan.schedule;
  double steps = length.amount;
  if (length.unit == DurationUnit::percent) steps *= static_cast<double>(plan.total_steps) / 100;
  if (length.unit == DurationUnit::tokens)
    steps = std::ceil(steps / static_cast<double>(s.batch.sequences * plan.final_model.context));
  return std::llround(std::min(steps, 2 * kMaxSteps));
}

std::int64_t sequences_at(const Schedule& s, std::int64_t step) {
  const auto& ramp = s.batch.size_warmup;
  if (!ramp || step >= ramp->over) return s.batch.sequences;
  return ramp->start + (s.batch.sequences - ramp->start) * step / ramp->over;
}

// The largest divisor of the context that the ramp allows.
std::int64_t length_at(const Schedule& s, const arch::ModelConfig& model, std::int64_t step) {
  const auto& ramp = s.batch.length_warmup;
  if (!ramp || step >= ramp->over) return model.context;
  std::int64_t length =
      std::min(model.context, ramp->start + (model.context - ramp->start) * step / ramp->over);
  while (model.context % length != 0) --length;
  return length;
}

RunPlan resolve(const Schedule& s, const DataFacts& facts,
                const std::optional<arch::ModelConfig>& start_model) {
  RunPlan plan;
  plan.schedule = s;
  plan.facts = facts;
  plan.final_model = final_model(s);
  if (s.batch.sequences > kMaxStepTokens / plan.final_model.context)
    throw s.source.error("batch.sequences {} of {} tokens: expected at most {} tokens in a step",
                         s.batch.sequences, plan.final_model.context, grouped(kMaxStepTokens));
  std::optional<arch::ModelConfig> before = start_model;
  for (std::size_t i = 0; i < s.stages.size(); ++i) {
    StagePlan stage;
    stage.name = s.stages[i].name;
    stage.first_step = plan.total_steps;
    fill_model(s, i, before, stage);
    fill_costs(s, stage);
    at_place(stage_place(s, i), "stages." + std::to_string(i) + ".for",
             [&] { measure_stage(s, s.stages[i].length, facts, stage); });
    stage.train_only_new = s.stages[i].train_only == schedule::TrainOnly::only_new;
    check_train_only(s, i, stage);
    if (const auto& until = s.stages[i].until) {
      stage.until_loss = until->loss;
      stage.until_slope = parse_number(until->slope);
    }
    plan.total_steps += stage.steps;
    plan.tokens += stage.tokens;
    plan.flops += stage.flops;
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
  plan.evaluate_every = steps_along(plan, s.evaluate.every);
  if (s.checkpoint.every.unit == DurationUnit::seconds) {
    plan.checkpoint_seconds = s.checkpoint.every.amount;
  } else {
    plan.checkpoint_every = steps_along(plan, s.checkpoint.every);
  }
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    if (plan.stages[i].until_slope && plan.evaluate_every == 0)
      throw stage_place(s, i).error(
          "stages.{}: until.slope is looked at when the validation loss "
          "is measured; evaluate.every is 0",
          i);
  add_warnings(plan);
  return plan;
}

arch::ModelConfig source_model(const Schedule& s, std::size_t index) {
  std::optional<arch::ModelConfig> model;
  for (std::size_t i = 0; i < index; ++i) {
    StagePlan stage;
    fill_model(s, i, model, stage);
    model = stage.model;
  }
  return *model;
}

std::vector<RunPlan> resolve_scratch(const RunPlan& staged) {
  std::vector<RunPlan> plans;
  const Schedule& s = staged.schedule;
  for (const Duration& budget : s.scratch.budgets) {
    Schedule one = s;
    one.from.clear();
    schedule::StageSpec stage;
    stage.name = "scratch";
    stage.length = budget;
    if (budget.unit == DurationUnit::percent)
      stage.length = {std::round(budget.amount / 100 * static_cast<double>(staged.total_steps)),
                      DurationUnit::steps};
    if (stage.length.amount < 1)
      throw budgets_place(s).error("scratch.budgets: '{}' is less than one step",
                                   to_string(budget));
    one.stages = {stage};
    Tree written = Tree::map();
    written.set("name", Tree::scalar("scratch"));
    one.source.set("stages", Tree::list({written}));
    plans.push_back(
        at_place(budgets_place(s), "scratch.budgets", [&] { return resolve(one, staged.facts); }));
    plans.back().role = Role::scratch;
  }
  std::sort(plans.begin(), plans.end(),
            [](const RunPlan& a, const RunPlan& b) { return a.total_steps < b.total_steps; });
  for (std::size_t i = 0; i + 1 < plans.size(); ++i) {
    // Until both decay, a shorter and a longer wsd run with one warm-up are the same run.
    const bool shared = s.lr.curve == "wsd" && plans[i].warmup_steps == plans[i + 1].warmup_steps;
    if (shared) plans[i].branch_step = plans[i].total_steps - plans[i].decay_steps;
  }
  return plans;
}

}  // namespace stagedtrain::plan
