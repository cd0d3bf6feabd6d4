// Collects what is known about a schedule whose lengths are to be chosen.
#include "lengths/length_facts.h"

#include <algorithm>

#include "scaling/transfer.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
using schedule::Schedule;
constexpr double kTokensPerParameter = 20;

std::shared_ptr<const scaling::LossCurve> curve_of(const PlanningLaw& law, const StagePlan& stage) {
  auto curve = curve_at(law, law.parameters(stage.params), stage.model.context);
  if (!curve)
    throw usage_error("the law {} has no curve of {} parameters, which stage {} has", law.name,
                      grouped(stage.params.total), stage.name)
        .with_hint("fit a run of that size too: stagedtrain plan --fit RUN... --out FILE.json");
  return curve;
}

double token_cost(const Schedule& s, const RunPlan& plan, const StagePlan& stage,
                  const Measurements& measurements) {
  if (s.plan.cost == "flops") return flops_per_token(s, stage.model);
  const Measurement* found = measurements.find(measurement_key(plan, stage));
  if (!found)
    throw usage_error("plan.cost: found seconds, but stage {} was not measured", stage.name)
        .with_hint("measure the stages with plan --measure SCHEDULE, or use cost: flops");
  return found->seconds_per_token;
}

double scratch_tokens(const Schedule& s, const LengthFacts& known) {
  const double params = static_cast<double>(known.plan.stages.back().params.total);
  if (!s.plan.scratch) return kTokensPerParameter * params;
  const Duration& length = *s.plan.scratch;
  if (length.unit == DurationUnit::tokens) return length.amount;
  if (length.unit == DurationUnit::flops)
    return length.amount / flops_per_token(s, known.plan.final_model);
  return length.amount * known.step_tokens;
}

// Uses measured rhos. If one is missing or saves nothing, the plan is made under loss-state.
void take_measured_rhos(const GrowthOutcomes& outcomes, LengthFacts& known) {
  known.assumption = Assumption::measured;
  for (std::size_t i = 1; i < known.sizes.size(); ++i) {
    const grow::GrowthRecipe& growth = *known.plan.stages[i].growth;
    const GrowthOutcome* found = outcomes.rho_of(growth.operators(), growth.from, growth.to);
    if (!found || !(found->rho < known.sizes[i].cost / known.sizes[i - 1].cost)) {
      known.assumption = Assumption::loss_state;
      return;
    }
    known.rho[i] = found->rho;
    known.measured_in.push_back(found->run);
  }
}

// Sets the assumption and the rho of each growth from the schedule's plan.transfer.
void set_transfer(const std::string& asked, const GrowthOutcomes& outcomes, LengthFacts& known) {
  known.rho.assign(known.sizes.size(), 1);
  if (asked == "auto") return take_measured_rhos(outcomes, known);
  const Transfer transfer =
      read_transfer("plan.transfer", asked, "loss-state, mixing, rho=X or auto");
  known.assumption = transfer.assumption;
  known.rho.assign(known.sizes.size(), transfer.rho);
}

double mixing_tokens(const Schedule& s, const GrowthOutcomes& outcomes, const LengthFacts& known) {
  if (const auto& given = s.plan.mixing)
    return given->amount * (given->unit == DurationUnit::steps ? known.step_tokens : 1);
  double most = 0;
  for (std::size_t i = 1; i < known.sizes.size(); ++i) {
    const grow::GrowthRecipe& growth = *known.plan.stages[i].growth;
    const GrowthOutcome* found = outcomes.mixing_of(growth.operators(), growth.from, growth.to);
    if (found) most = std::max(most, found->mixing_tokens);
  }
  return most;
}

// Finds what the decay gained in the newest run of about this size, for laws of a constant rate.
std::optional<GrowthOutcome> decay_drop(const Schedule& s, const GrowthOutcomes& outcomes,
                                        const LengthFacts& known) {
  const double flops = arch::flops_per_token(known.plan.final_model);
  std::optional<GrowthOutcome> newest;
  if (known.law.end != kConstantRate || s.lr.curve != "wsd") return newest;
  for (const GrowthOutcome& growth : outcomes.all()) {
    const double factor = arch::flops_per_token(growth.to) / flops;
    if (growth.decay_drop > 0 && factor > 0.5 && factor < 2) newest = growth;
  }
  return newest;
}

}  // namespace

bool is_auto(const schedule::StageSpec& stage) {
  return stage.length.unit == DurationUnit::automatic;
}

bool has_auto_slope(const schedule::StageSpec& stage) {
  return stage.until && stage.until->slope == "auto";
}

Schedule with_placeholders(Schedule s) {
  for (schedule::StageSpec& stage : s.stages) {
    if (is_auto(stage)) stage.length = {1, DurationUnit::steps};
    if (has_auto_slope(stage)) stage.until->slope.clear();
  }
  return s;
}

Error stage_error(const Schedule& s, std::size_t i, const std::string& what) {
  return s.source.find("stages")->items[i].error("stages.{}: {}", i, what);
}

double decay_tokens(const schedule::LrSpec& lr, double steps, double step_tokens) {
  if (lr.curve != "wsd") return 0;
  if (lr.decay.unit == DurationUnit::percent) return lr.decay.amount / 100 * steps * step_tokens;
  return lr.decay.amount * (lr.decay.unit == DurationUnit::steps ? step_tokens : 1);
}

LengthFacts length_facts(const Schedule& s, const DataFacts& facts,
                         const Measurements& measurements, const GrowthOutcomes& outcomes) {
  LengthFacts known{.plan = resolve(with_placeholders(s), facts),
                    .law = find_planning_law(s.plan.law)};
  known.step_tokens = static_cast<double>(s.batch.sequences * known.plan.final_model.context);
  for (const StagePlan& stage : known.plan.stages)
    known.sizes.push_back(
        {stage.name, token_cost(s, known.plan, stage, measurements), curve_of(known.law, stage)});
  known.run.tokens = scratch_tokens(s, known);
  known.run.decay = decay_tokens(s.lr, known.run.tokens / known.step_tokens, known.step_tokens);
  known.end_loss = known.sizes.back().curve->loss(known.run.tokens);
  try {
    refuse_nonsense(known.law, known.sizes.back(), known.plan.final_model, known.run.tokens);
  } catch (const Error& error) {
    known.nonsense = error;
  }
  set_transfer(s.plan.transfer, outcomes, known);
  known.run.mixing = mixing_tokens(s, outcomes, known);
  known.decay_drop = decay_drop(s, outcomes, known);
  return known;
}

}  // namespace stagedtrain::plan
