// Which sizes can be stages, and what does a token of each one cost?
#include "optimize/optimize_problem.h"

#include <algorithm>
#include <cmath>

#include "plan/chosen_stages.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

using scaling::GrowthPath;

bool needs_time(const OptimizeOptions& options) {
  return options.unit != CostUnit::flops || options.most_seconds > 0;
}

std::optional<TokenTime> time_of(const RunPlan& base, const arch::ModelConfig& model,
                                 const Measurements& known) {
  StagePlan stage;
  stage.model = model;
  return token_time(base, stage, known);
}

// Returns the seconds of a token, if they are known in the wanted way. Measured and assumed seconds
// are not mixed: small models use a machine less well than assumed, so a mixture would make them
// look cheap.
std::optional<double> seconds_of(const Problem& problem, const Candidate& size, bool measured) {
  const auto time = time_of(problem.base, size.model, problem.options.known);
  if (!time || time->measured != measured) return std::nullopt;
  return time->seconds;
}

// Returns the cost of a token in the unit of the options.
double price(const Problem& problem, const Candidate& size, std::optional<double> seconds) {
  if (problem.options.unit == CostUnit::flops) return size.flops_per_token;
  if (problem.options.unit == CostUnit::seconds) return *seconds;
  return *seconds / 3600 * problem.base.schedule.machine.price_per_hour;
}

// Returns whether the seconds of a token are measured, if the plan needs seconds. Throws
// Error(usage) if the cost of a token is not known.
bool check_unit(const RunPlan& base, const OptimizeOptions& options) {
  if (!needs_time(options)) return false;
  const auto time = time_of(base, base.final_model, options.known);
  if (!time)
    throw usage_error("{}: the seconds of a token of {} are not known",
                      options.unit == CostUnit::flops ? "--most-time" : "--unit seconds or money",
                      size_name(base.final_model))
        .with_hint(
            "measure them with stagedtrain plan --measure SCHEDULE, or give --set "
            "machine.flops=312T");
  if (options.unit == CostUnit::money && base.schedule.machine.price_per_hour == 0)
    throw usage_error("--unit money: machine.price_per_hour is 0, expected a price")
        .with_hint("--set machine.price_per_hour=2.5");
  return time->measured;
}

bool fits_memory(const RunPlan& base, const Candidate& size) {
  const double most = base.schedule.machine.memory;
  return most == 0 || training_memory(base.schedule, size.model, size.params.total).total() <= most;
}

// Estimates the tokens of the run from scratch that corresponds to the goal.
double goal_tokens(const Problem& problem) {
  const Goal& goal = problem.options.goal;
  if (goal.kind == Goal::Kind::cost) return goal.amount / problem.final_size().cost;
  if (goal.kind == Goal::Kind::tokens && goal.amount > 0) return goal.amount;
  const double tokens = goal.kind == Goal::Kind::loss
                            ? problem.final_size().curve->tokens(goal.amount)
                            : static_cast<double>(problem.base.tokens);
  return std::isfinite(tokens) ? tokens : static_cast<double>(problem.base.tokens);
}

// Returns the tokens that a re-warm-up loses: half of its length. The re-warm-up is that of the
// schedule's last stage, or else lr.rewarm. One in % is a share of this run, not of the schedule's
// own stages.
double lost_in_rewarm(const Problem& problem) {
  const RunPlan& base = problem.base;
  Duration rewarm = base.schedule.lr.rewarm;
  const auto& own = base.schedule.stages.back().lr;
  if (own && own->rewarm) rewarm = *own->rewarm;
  if (rewarm.unit == DurationUnit::percent)
    return rewarm.amount / 100 * goal_tokens(problem) / 2;
  return static_cast<double>(steps_along(base, rewarm, base.total_steps)) / 2 * problem.step_tokens;
}

// Returns the candidates with all FLOPs of a token, those of the optimizer included (Muon's),
// cheapest first.
std::vector<Candidate> priced_candidates(Problem& problem) {
  std::vector<Candidate> sizes =
      candidates(problem.base.final_model, problem.options.law, &problem.not_considered);
  for (Candidate& size : sizes)
    size.flops_per_token = flops_per_token(problem.base.schedule, size.model);
  std::ranges::stable_sort(sizes, {}, &Candidate::flops_per_token);
  return sizes;
}

// The stages that the search finds have other sizes and lengths than the schedule's own, for which
// its policies were written.
void note_policies(Problem& problem) {
  for (const StagePlan& stage : problem.base.stages)
    if (!stage.is_whole())
      problem.not_considered.push_back(fmt::format(
          "Not considered: what stage '{}' leaves out or does not train (a training policy, or "
          "train_only). The stages above run and train whole models.",
          stage.name));
}

std::string stage_name(const Problem& problem, const arch::ModelConfig& model) {
  const bool is_short = model.context < problem.base.final_model.context;
  return size_name(model) + (is_short ? fmt::format("-context{}", model.context) : "");
}

void add_sizes(Problem& problem, bool measured) {
  const bool timed = needs_time(problem.options);
  std::size_t unknown = 0, too_large = 0;
  for (const Candidate& size : priced_candidates(problem)) {
    const bool is_last = size.model == problem.base.final_model;
    const auto curve = curve_at(problem.options.law, size.parameters, size.model.context);
    const auto seconds = timed ? seconds_of(problem, size, measured) : std::optional<double>();
    if (!is_last && !fits_memory(problem.base, size)) {
      ++too_large;
    } else if (!curve && is_last) {
      throw usage_error("{} has no curve of the final model {} ({} parameters)",
                        problem.options.law.name, size_name(size.model), grouped(size.params.total))
          .with_hint(
              "train a short run of it from scratch, and fit both with stagedtrain plan --fit");
    } else if (!curve || (timed && !seconds)) {
      ++unknown;
    } else {
      problem.sizes.push_back(size);
      problem.seconds.push_back(seconds.value_or(0));
      problem.family.push_back(
          {stage_name(problem, size.model), price(problem, size, seconds), curve});
    }
  }
  note_left_out(unknown, "the law has no curve for them, or their time was not measured",
                problem.not_considered);
  note_left_out(too_large, "they need more than machine.memory", problem.not_considered);
}

}  // namespace

double sum_over(const Problem& problem, const GrowthPath& growth_path, double end_tokens,
                const std::vector<double>& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < growth_path.sizes.size(); ++i) {
    const bool is_last = i == growth_path.growths.size();
    const double until = is_last ? end_tokens : growth_path.growths[i].small_tokens;
    const double from = i ? growth_path.growths[i - 1].resume_tokens - problem.lost_tokens : 0;
    sum += weights[growth_path.sizes[i]] * (until - from);
  }
  return sum;
}

double tail_tokens(const Problem& problem, double run_tokens, std::size_t stages) {
  const schedule::LrSpec& lr = problem.base.schedule.lr;
  const double share = lr.decay.unit == DurationUnit::percent ? lr.decay.amount / 100 : 0;
  double decay = 0;
  if (lr.curve == "wsd") {
    decay = share * run_tokens;
    if (lr.decay.unit == DurationUnit::steps) decay = lr.decay.amount * problem.step_tokens;
    if (lr.decay.unit == DurationUnit::tokens) decay = lr.decay.amount;
    // Rounding to whole steps changes each stage and the decay by at most half a step.
    decay += problem.step_tokens * (1 + share * static_cast<double>(stages) / 2);
  }
  const double twice_rewarm = 4 * problem.lost_tokens;  // half of a re-warm-up is lost
  return std::max({decay, kLeastLastStage * run_tokens, twice_rewarm});
}

Problem make_problem(const RunPlan& base, const OptimizeOptions& options) {
  const schedule::Schedule& s = base.schedule;
  Problem problem{.options = options, .base = base};
  problem.step_tokens = static_cast<double>(s.batch.sequences * base.final_model.context);
  add_sizes(problem, check_unit(base, options));
  note_policies(problem);
  problem.lost_tokens = lost_in_rewarm(problem);
  for (const scaling::Size& size : problem.family) problem.costs.push_back(size.cost);
  problem.pairs = scaling::pairs_of(problem.family, [&](std::size_t a, std::size_t b) {
    return may_grow(problem.sizes[a], problem.sizes[b]);
  });
  return problem;
}

}  // namespace stagedtrain::plan
