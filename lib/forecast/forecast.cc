// Which losses does a scaling law predict for the stages of a plan?
//
// A stage begins at a position on its size's own curve, in tokens, advances by its tokens less
// those that re-warm-ups lose, and hands a position to the next stage by the assumption
// (resumed()). The final position is the length of the scratch run to the same loss, so the saving
// follows from the costs of both. Intervals repeat the walk with each sample of the law (LawSample)
// and hold 80% of the results. Further errors are added in quadrature: of the decay's gain, and of
// one run against the law.
//
// Invariant: a law that cannot predict the plan gives Outlook::nothing, with the reason, and no
// loss.
#include "forecast/forecast.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/rng.h"
#include "forecast/annealed_end.h"
#include "forecast/forecast_warnings.h"
#include "plan/decay.h"
#include "plan/step_tokens.h"
#include "scaling/pair.h"
#include "statistics/bootstrap.h"
#include "statistics/fit_joint.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::Assumption;
using Curve = std::shared_ptr<const scaling::LossCurve>;
constexpr double kRounding = 1e-9;
constexpr const char* kUnreachable = "a stage begins at a loss that its size cannot reach";

// The positions and losses of the stages on the curves of their sizes, one element for each stage.
struct Walk {
  std::vector<double> resume, begin, end;
  double last = 0;            // where the final model ends on its curve
  double scratch_tokens = 0;  // the length of a run from scratch to there
};

// Returns the position of a stage on its own curve when it begins. The stage before it ended at the
// position `seen` of its curve, with this loss.
double resumed(const Transfer& transfer, std::size_t stage, const scaling::LossCurve& curve,
               double loss, double seen) {
  if (transfer.assumption == Assumption::loss_state) return curve.tokens(loss);
  return transfer.assumption == Assumption::mixing ? seen : seen / transfer.rho_of(stage);
}

// Returns the tokens that a re-warm-up loses, half of its length. For laws that count the learning
// rate the first warm-up loses as much; the tokens of other laws include it.
double lost_tokens(const RunPlan& plan, const PlanningLaw& law, const StagePlan& stage) {
  if (!stage.growth && !law.counts_rate) return 0;
  const std::int64_t warm = stage.growth ? stage.rewarm_steps : plan.warmup_steps;
  return static_cast<double>(std::min(warm, stage.steps)) / 2 * step_tokens(stage);
}

// The same for a run of the final model from scratch.
double lost_from_scratch(const RunPlan& plan, const PlanningLaw& law) {
  if (!law.counts_rate) return 0;
  return static_cast<double>(plan.warmup_steps) / 2 * step_tokens(plan.stages.back());
}

// A walk along one sample of the law.
struct SampledWalk {
  const LawSample* sample;
  Walk walk;
};

// Walks along the stages. Returns nothing if a curve is missing, or if a stage would begin at a
// loss that its size cannot reach.
template <class Curves>  // PlanningLaw or LawSample
std::optional<Walk> walk(const RunPlan& plan, const PlanningLaw& law, const Curves& curves,
                         const Transfer& transfer) {
  Walk walk;
  double seen = 0;
  for (const StagePlan& stage : plan.stages) {
    const Curve curve = curve_at(curves, law.parameters(stage.params), stage.model.context);
    if (!curve) return std::nullopt;
    double resume = 0;
    if (!walk.end.empty())
      resume = resumed(transfer, walk.end.size(), *curve, walk.end.back(), seen);
    if (!std::isfinite(resume)) return std::nullopt;
    walk.resume.push_back(resume);
    walk.begin.push_back(curve->loss(resume));
    seen = resume + static_cast<double>(stage.tokens) - lost_tokens(plan, law, stage);
    walk.end.push_back(curve->loss(seen));
  }
  walk.last = seen;
  walk.scratch_tokens = seen + lost_from_scratch(plan, law);
  return walk;
}

// Returns the number with the 80% interval of its samples. If they all agree, the number does not
// depend on the law, or a bound determines it. It then has no interval, because one of no width
// would look like certainty.
LossRange ranged(double loss, std::vector<double> sampled, double widening) {
  std::erase_if(sampled, [](double value) { return !std::isfinite(value); });
  if (sampled.empty()) return {loss, std::nullopt};
  const scaling::Interval range = scaling::interval(std::move(sampled));
  if (!(range.high - range.low > kRounding * std::fabs(loss))) return {loss, std::nullopt};
  return {loss,
          std::array{loss - widening * (loss - range.low), loss + widening * (range.high - loss)}};
}

Savings savings(const RunPlan& plan, const RunCost& cost, double scratch_tokens) {
  const StagePlan& last = plan.stages.back();
  const double full = flops_per_token(plan.schedule, last.model);
  const double attention = arch::attention_flops_per_token(last.model);
  const auto saved = [&](double spent, double per_token) {
    return 1 - spent / (per_token * scratch_tokens);
  };
  Savings s;
  s.flops = saved(cost.total.flops, full);
  s.causal_flops = saved(cost.total.causal_flops, full - attention / 2);
  s.parameters = saved(cost.total.parameters, 6 * static_cast<double>(last.params.active));
  s.non_embedding =
      saved(cost.total.non_embedding, 6 * static_cast<double>(last.params.non_embedding));
  if (cost.timed)
    s.seconds = saved(cost.total.training_seconds, cost.stages.back().seconds_per_token);
  return s;
}

// Widens the interval by an independent error with this half-width (80%); the squares add.
void widen(LossRange& end, double half_width) {
  if (!end.range) return;
  const auto& [low, high] = *end.range;
  end.range = std::array{end.loss - std::hypot(std::max(0.0, end.loss - low), half_width),
                         end.loss + std::hypot(std::max(0.0, high - end.loss), half_width)};
}

// The decay's effect by response to the rate. Each one is computed once, when it is needed.
class DecayEffects {
 public:
  explicit DecayEffects(const RunPlan& plan) : plan_(plan) {}
  const std::optional<DecayEffect>& at(const scaling::RateResponse& response) {
    const auto [known, is_new] = effects_.try_emplace(response);
    if (is_new) known->second = decay_effect(plan_, response);
    return known->second;
  }

 private:
  const RunPlan& plan_;
  std::map<scaling::RateResponse, std::optional<DecayEffect>> effects_;
};

// Subtracts the decay's gain, which the scratch run has too, and corrects the end by what the ends
// of the law's runs show. Widens the interval by what they leave unknown of the gain and of the
// law's form, and by the scatter of one run around the law.
void finish_end(const RunPlan& plan, const PlanningLaw& law, const Walk& best,
                const std::vector<SampledWalk>& samples, Forecast& forecast) {
  const double parameters = law.parameters(plan.stages.back().params);
  DecayEffects effects(plan);
  const std::optional<DecayEffect> effect =
      law.annealing ? effects.at(law.response) : std::optional<DecayEffect>();
  std::optional<double> gain;
  if (effect)
    gain = decay_gain(*effect, law.annealing(parameters), *law.curve(parameters), best.last);
  const scaling::EndCorrection::Weights weights = law.end_correction.at(
      {parameters, best.scratch_tokens, effect ? effect->length / best.scratch_tokens : 0});
  LossRange& end = forecast.stages.back().end;
  if (gain || !law.misses.empty()) {
    std::vector<double> losses;
    for (const auto& [sample, walk] : samples) {
      std::optional<double> own = 0;
      if (gain) {
        const AnnealingOf& strength = sample->annealing ? sample->annealing : law.annealing;
        const scaling::RateResponse& response = sample->annealing ? sample->response : law.response;
        own = decay_gain(*effects.at(response), strength(parameters), *sample->curve(parameters),
                         walk.last);
      }
      if (own) losses.push_back((walk.end.back() - *own) * corrected(weights, sample->misses));
    }
    const double factor = corrected(weights, law.misses);
    end = ranged((end.loss - gain.value_or(0)) * factor, std::move(losses), law.loss_widening);
    forecast.scratch_loss = (forecast.scratch_loss - gain.value_or(0)) * factor;
  }
  const double of_gain =
      gain ? gain_error(*effect, law) * law.annealing(parameters) * effect->area : 0;
  const double of_form =
      law.misses.empty() ? 0 : scaling::kNormal80 * scaling::EndCorrection::kSpread * end.loss;
  widen(end,
        law.loss_widening * std::hypot(std::sqrt(weights.unknown) * std::hypot(of_gain, of_form),
                                       law.run_scatter * end.loss));
}

// Returns the tokens of the last stage until the loss of its end, by each sample, for one run that
// scatters around the law.
std::vector<double> last_tokens(const RunPlan& plan, const PlanningLaw& law, const Walk& best,
                                const std::vector<SampledWalk>& samples) {
  const CounterRng rng(1, hash_name("scatter"));
  const StagePlan& last = plan.stages.back();
  std::vector<double> tokens;
  for (const auto& [sample, walk] : samples) {
    const double scatter = law.run_scatter / scaling::kNormal80 * rng.normal(tokens.size());
    tokens.push_back(
        sample->curve(law.parameters(last.params))->tokens(best.end.back() * (1 + scatter)) -
        walk.resume.back() + lost_tokens(plan, law, last));
  }
  return tokens;
}

Forecast made(const RunPlan& plan, const RunCost& cost, const PlanningLaw& law,
              const Transfer& transfer, const Walk& best) {
  std::vector<SampledWalk> samples;
  for (const LawSample& sample : law.samples)
    if (auto walked = walk(plan, law, sample, transfer))
      samples.push_back({&sample, std::move(*walked)});
  const auto range = [&](std::vector<double> Walk::*losses, std::size_t i) {
    std::vector<double> values;
    for (const SampledWalk& sample : samples) values.push_back((sample.walk.*losses)[i]);
    return ranged((best.*losses)[i], std::move(values), law.loss_widening);
  };
  Forecast forecast;
  forecast.assumption = transfer.assumption;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    StageForecast stage;
    stage.resume_tokens = best.resume[i];
    if (i > 0) stage.begin = range(&Walk::begin, i);
    stage.end = range(&Walk::end, i);
    const StagePlan& planned = plan.stages[i];
    const Curve curve = curve_at(law, law.parameters(planned.params), planned.model.context);
    stage.end_slope = curve->log_slope(stage.end.loss);
    forecast.stages.push_back(stage);
  }
  const StagePlan& last = plan.stages.back();
  forecast.scratch_tokens = best.scratch_tokens;
  forecast.scratch_loss = law.curve(law.parameters(last.params))
                              ->loss(plan.flops / flops_per_token(plan.schedule, last.model) -
                                     lost_from_scratch(plan, law));
  forecast.savings = savings(plan, cost, best.scratch_tokens);
  const auto saved_range = [&](double value, double spent, double per_token) {
    std::vector<double> saved;
    for (const SampledWalk& sample : samples)
      saved.push_back(1 - spent / (per_token * sample.walk.scratch_tokens));
    return ranged(value, std::move(saved), law.saving_widening).range;
  };
  forecast.flops_range = saved_range(forecast.savings.flops, cost.total.flops,
                                     flops_per_token(plan.schedule, last.model));
  if (cost.timed)
    forecast.seconds_range = saved_range(*forecast.savings.seconds, cost.total.training_seconds,
                                         cost.stages.back().seconds_per_token);
  forecast.to_end = cost_to_end(plan, cost, last_tokens(plan, law, best, samples));
  finish_end(plan, law, best, samples, forecast);
  return forecast;
}

std::string why_nothing(const RunPlan& plan, const PlanningLaw& law) {
  for (const StagePlan& stage : plan.stages) {
    const Curve curve = curve_at(law, law.parameters(stage.params), stage.model.context);
    if (!curve)
      return fmt::format(
          "{} has no curve of {} ({} parameters); train a short run of it from scratch and fit "
          "again",
          law.name, stage.name, grouped(stage.params.total));
    const double loss = curve->loss(static_cast<double>(plan.tokens));
    if (loss >= guess_loss(stage.model))
      return not_covered(law, stage.model, loss) + ". " + kFitOwnRuns;
  }
  return "";
}

std::vector<Transfer> transfers_of(const Transfer& asked) {
  std::vector<Transfer> transfers = {asked};
  for (Assumption other : {Assumption::loss_state, Assumption::mixing})
    if (asked.assumption != other) transfers.push_back({other, 1, asked.mixing_tokens});
  return transfers;
}

// Finds the best time of each growth, with the growths before it as planned. The run stays as long
// as it is, so no growth comes in its last steps (tail_steps()), nor after the next growth.
template <class Curves>  // PlanningLaw or LawSample
std::vector<GrowthWindow> growth_windows(const RunPlan& plan, const PlanningLaw& law,
                                         const Curves& curves, const Walk& walk) {
  std::vector<GrowthWindow> windows;
  for (std::size_t i = 1; i < plan.stages.size(); ++i) {
    const StagePlan &from = plan.stages[i - 1], &to = plan.stages[i];
    const auto size = [&](const StagePlan& stage) {
      return scaling::Size{stage.name, flops_per_token(plan.schedule, stage.model),
                           curve_at(curves, law.parameters(stage.params), stage.model.context)};
    };
    const std::int64_t last =
        std::min(to.first_step + to.steps, plan.total_steps - tail_steps(plan));
    const auto tokens_to_last = [&](const StagePlan& stage) {
      return static_cast<double>(std::max<std::int64_t>(1, last - stage.first_step)) *
             step_tokens(stage);
    };
    const scaling::Size small = size(from), large = size(to);
    const double lowest = std::max(large.curve->loss(walk.resume[i] + tokens_to_last(to)),
                                   small.curve->loss(walk.resume[i - 1] + tokens_to_last(from) -
                                                     lost_tokens(plan, law, from)));
    const scaling::GrowthPoint best = scaling::best_growth(small, large, lowest);
    const auto step = [&](double tokens) {
      return static_cast<double>(from.first_step) +
             (tokens - walk.resume[i - 1] + lost_tokens(plan, law, from)) / step_tokens(from);
    };
    windows.push_back({to.name,
                       static_cast<double>(to.first_step),
                       best.pays(),
                       step(best.small_tokens),
                       step(best.earliest),
                       step(best.latest),
                       {}});
  }
  return windows;
}

// Adds the 80% interval of each best time, over the law's samples by which the growth pays.
void add_ranges(const RunPlan& plan, const PlanningLaw& law, const Transfer& transfer,
                std::vector<GrowthWindow>& windows) {
  std::vector<std::vector<double>> best(windows.size());
  for (const LawSample& sample : law.samples)
    if (const auto walked = walk(plan, law, sample, transfer)) {
      const auto sampled = growth_windows(plan, law, sample, *walked);
      for (std::size_t i = 0; i < windows.size(); ++i)
        if (sampled[i].pays) best[i].push_back(sampled[i].best);
    }
  for (std::size_t i = 0; i < windows.size(); ++i)
    windows[i].best_range = ranged(windows[i].best, std::move(best[i]), 1).range;
}

}  // namespace

Outlook forecast(const RunPlan& plan, const RunCost& cost, const PlanningLaw& law,
                 const Transfer& transfer) {
  const bool annealed = law.annealing && has_decay_effect(plan);
  Outlook outlook{law.name,
                  law.source,
                  annealed ? "at a constant learning rate and, by the gain that decayed runs "
                             "showed, at the end of the decay"
                           : law.end,
                  law.published,
                  {},
                  {},
                  "",
                  {}};
  if (!plan.schedule.from.empty()) {
    outlook.nothing = fmt::format(
        "the run starts from the checkpoint {}, whose history a scaling law cannot model",
        plan.schedule.from);
    return outlook;
  }
  outlook.nothing = why_nothing(plan, law);
  if (!outlook.nothing.empty()) return outlook;
  auto asked = transfers_of(transfer);
  if (plan.stages.size() == 1) asked.resize(1);
  for (const Transfer& one : asked) {
    if (const auto walked = walk(plan, law, law, one)) {
      outlook.forecasts.push_back(made(plan, cost, law, one, *walked));
      if (one.assumption == Assumption::loss_state) {
        outlook.windows = growth_windows(plan, law, law, *walked);
        add_ranges(plan, law, one, outlook.windows);
      }
    } else {
      outlook.warnings.push_back(fmt::format(
          "{}: no forecast, because {}", scaling::assumption_name(one.assumption), kUnreachable));
    }
  }
  if (outlook.forecasts.empty()) {
    outlook.nothing = kUnreachable;
    return outlook;
  }
  add_warnings(plan, law, transfer, outlook);
  return outlook;
}

}  // namespace stagedtrain::plan
