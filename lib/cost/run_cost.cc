// Computes the costs of each stage, from counts and from measurements if there are any.
#include "cost/run_cost.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plan/layer_policy.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// A forward pass is a third of a training step.
constexpr double kForwardShare = 1.0 / 3;

// Returns how many numbers between begin and end, neither included, are multiples of at least one
// of these periods; 0 is no period. Adds the multiples of one period, subtracts those of two, and
// so on (inclusion and exclusion).
std::int64_t multiples_between(std::int64_t begin, std::int64_t end,
                               const std::vector<std::int64_t>& periods) {
  std::int64_t count = 0;
  for (std::size_t chosen = 1; chosen < std::size_t{1} << periods.size(); ++chosen) {
    std::int64_t together = 1, sign = -1;
    for (std::size_t i = 0; i < periods.size(); ++i) {
      if ((chosen >> i & 1) == 0) continue;
      sign = -sign;
      const std::int64_t factor = periods[i] / std::gcd(together, periods[i]);
      together = factor == 0 || together > end / factor ? 0 : together * factor;
      if (together == 0) break;  // no multiple of all chosen periods below the end
    }
    if (together > 0) count += sign * ((end - 1) / together - begin / together);
  }
  return count;
}

// Returns after how many steps of a stage, without its last one, at least one of these is due.
// tokens_before are the run's tokens before the stage. What is due by steps and what is due by
// tokens are assumed not to coincide.
std::int64_t times_inside(const StagePlan& stage, std::int64_t tokens_before,
                          const std::vector<Every>& what) {
  if (stage.steps == 0) return 0;
  std::vector<std::int64_t> steps, tokens;
  for (const Every& every : what) {
    steps.push_back(every.steps);
    tokens.push_back(every.tokens);
  }
  return std::min(stage.steps - 1,
                  multiples_between(stage.first_step, stage.first_step + stage.steps, steps) +
                      multiples_between(tokens_before, tokens_before + stage.tokens, tokens));
}

void count_flops(const RunPlan& plan, const StagePlan& stage, Costs& costs) {
  const auto tokens = static_cast<double>(stage.tokens);
  const arch::TokenFlops each = expected_flops_per_token(stage);
  const double matrices = each.total - each.attention;
  const double optimizer = optimizer_flops(plan, stage);
  costs.flops = stage.flops;
  costs.causal_flops = stage.flops - (stage.flops - matrices * tokens - optimizer) / 2;
  costs.parameters = 6 * static_cast<double>(stage.params.active) * tokens;
  costs.non_embedding = 6 * static_cast<double>(stage.params.non_embedding) * tokens;
}

// Counts what happens inside the stage, and at its end once more. checkpoint.keep.best asks for an
// evaluation with each checkpoint.
void count_evaluations_and_checkpoints(const RunPlan& plan, const StagePlan& stage,
                                       std::int64_t tokens_before, StageCost& cost) {
  const schedule::KeepSpec& keep = plan.schedule.checkpoint.keep;
  std::vector<Every> due = {plan.checkpoint_every,
                            {.steps = static_cast<std::int64_t>(keep.every.amount)}};
  std::int64_t by_time = 0;
  if (plan.checkpoint_seconds > 0) {
    const double seconds = cost.seconds_per_token * static_cast<double>(stage.tokens);
    by_time = static_cast<std::int64_t>(std::min(seconds / plan.checkpoint_seconds, 1e15));
  }
  cost.checkpoints = 1 + by_time + times_inside(stage, tokens_before, due);
  if (keep.best == 0) due.clear();
  due.push_back(plan.evaluate_every);
  cost.evaluations = 1 + (keep.best > 0 ? by_time : 0) + times_inside(stage, tokens_before, due);
}

void count_time(const RunPlan& plan, const StagePlan& stage, StageCost& cost) {
  const schedule::Schedule& s = plan.schedule;
  const double each = cost.seconds_per_token;
  cost.costs.training_seconds = each * static_cast<double>(stage.tokens);
  cost.costs.evaluation_seconds = each * kForwardShare * static_cast<double>(cost.evaluations) *
                                  static_cast<double>(s.evaluate.tokens);
  // A growth is assumed to take as long as writing the larger state once.
  const std::int64_t written = cost.checkpoints + (stage.growth ? 1 : 0);
  cost.costs.saving_seconds =
      static_cast<double>(written) * static_cast<double>(stage.checkpoint_bytes) / s.machine.disk;
  cost.costs.money = cost.costs.seconds() / 3600 * s.machine.price_per_hour;
}

// Returns the seconds of a token if several processes share each step.
double shared_time(const RunPlan& plan, const StagePlan& stage, double alone, double sent,
                   const Processes& processes) {
  if (processes.count == 1) return alone;
  const schedule::Schedule& s = plan.schedule;
  const double sending = s.machine.bandwidth > 0 ? sent / s.machine.bandwidth : 0;
  const auto step_tokens = static_cast<double>(s.batch.sequences * stage.model.context);
  return alone * step_share(s, processes).work + sending / step_tokens;
}

StageCost stage_cost(const RunPlan& plan, const StagePlan& stage, std::int64_t tokens_before,
                     const Measurements& known, const Processes& processes) {
  StageCost cost;
  count_flops(plan, stage, cost.costs);
  cost.memory = training_memory(plan.schedule, stage.model, stage.params.total, processes);
  cost.sent_bytes = sent_bytes(plan.schedule, stage.params.total, processes);
  cost.lost_steps = (static_cast<double>(stage.first_step == 0 ? plan.warmup_steps : 0) +
                     static_cast<double>(stage.growth ? stage.rewarm_steps : 0)) /
                    2;
  if (const auto time = token_time(plan, stage, known)) {
    cost.seconds_alone = time->seconds;
    cost.seconds_per_token = shared_time(plan, stage, time->seconds, cost.sent_bytes, processes);
    cost.measured = time->measured;
    cost.threads = time->threads;
    if (time->peak_bytes > 0 && processes.count == 1) cost.measured_bytes = time->peak_bytes;
  }
  count_evaluations_and_checkpoints(plan, stage, tokens_before, cost);
  if (cost.seconds_per_token > 0) count_time(plan, stage, cost);
  return cost;
}

std::string source_of_time(const RunPlan& plan, const RunCost& cost) {
  std::size_t measured = 0;
  for (const StageCost& stage : cost.stages) measured += stage.measured;
  const auto& machine = plan.schedule.machine;
  const std::string assumed = fmt::format("FLOPs at {:.0f}% of {}FLOPs a second",
                                          100 * machine.utilisation, short_count(machine.flops));
  if (!cost.timed)
    return "not known: measure it with stagedtrain plan --measure SCHEDULE, or give machine.flops";
  if (measured == 0) return assumed;
  if (measured == cost.stages.size()) return "measured";
  return fmt::format("measured for {} of {} stages; for the others {}", measured,
                     cost.stages.size(), assumed);
}

void check_memory(const RunPlan& plan, const RunCost& cost) {
  const double most = plan.schedule.machine.memory;
  if (most == 0) return;
  for (std::size_t i = 0; i < cost.stages.size(); ++i) {
    const StageCost& stage = cost.stages[i];
    const double needed = stage.measured_bytes.value_or(stage.memory.total());
    if (needed <= most) continue;
    const auto fits = cheapest_sharding(plan, cost.processes.count);
    throw usage_error("{}: training takes {} of memory, expected at most machine.memory, {}",
                      plan.stages[i].name, short_bytes(needed), short_bytes(most))
        .with_hint(fits && cost.processes.count > 1
                       ? fmt::format("use --sharding {}", sharding_name(*fits))
                       : "use a smaller batch.micro, batch.recompute: blocks, precision: bf16, or "
                         "several processes with --sharding full");
  }
}

}  // namespace

Costs& Costs::operator+=(const Costs& other) {
  flops += other.flops;
  causal_flops += other.causal_flops;
  parameters += other.parameters;
  non_embedding += other.non_embedding;
  training_seconds += other.training_seconds;
  evaluation_seconds += other.evaluation_seconds;
  saving_seconds += other.saving_seconds;
  money += other.money;
  return *this;
}

std::optional<TokenTime> token_time(const RunPlan& plan, const StagePlan& stage,
                                    const Measurements& known) {
  const auto& machine = plan.schedule.machine;
  MeasurementKey key = measurement_key(plan, stage);
  key.device = machine.device;
  if (const Measurement* found = known.find(key))
    return TokenTime{found->seconds_per_token * flops_share(stage), true, found->peak_bytes,
                     found->key.threads};
  if (machine.flops == 0) return std::nullopt;
  const double flops = flops_per_token(plan.schedule, stage.model) +
                       recomputed_flops_per_token(stage.model, plan.schedule.batch.recompute);
  const double share = flops_share(stage);
  return TokenTime{flops * share / (machine.flops * machine.utilisation)};
}

RunCost run_cost(const RunPlan& plan, const Measurements& known, const Processes& processes) {
  RunCost cost;
  cost.processes = processes;
  cost.timed = true;
  cost.price_per_hour = plan.schedule.machine.price_per_hour;
  std::int64_t tokens_before = 0;
  for (const StagePlan& stage : plan.stages) {
    cost.stages.push_back(stage_cost(plan, stage, tokens_before, known, processes));
    tokens_before += stage.tokens;
    cost.total += cost.stages.back().costs;
    cost.timed = cost.timed && cost.stages.back().seconds_per_token > 0;
  }
  cost.time_source = source_of_time(plan, cost);
  check_memory(plan, cost);
  return cost;
}

}  // namespace stagedtrain::plan
