// Computes the costs of each stage, from counts and from measurements if there are any.
#include "cost/run_cost.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "plan/stage_policy.h"
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
  costs.flops += stage.selection.flops + stage.start.total;
  costs.causal_flops += stage.selection.flops - stage.selection.attention_flops / 2 +
                        stage.start.total - stage.start.attention / 2;
  if (stage.fit.steps == 0) return;
  // The fit of the growth runs the whole model.
  const auto fitted = static_cast<double>(stage.fit.tokens);
  costs.flops += stage.fit.flops;
  costs.causal_flops += stage.fit.flops - arch::attention_flops_per_token(stage.model) * fitted / 2;
  costs.parameters += 6 * static_cast<double>(stage.params.active) * fitted;
  costs.non_embedding += 6 * static_cast<double>(stage.params.non_embedding) * fitted;
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
  // A token of a fit is assumed to take as long as one of the whole model, and a selection of data
  // or a sensitivity pass as long as steps with as many FLOPs.
  cost.costs.training_seconds =
      each * (static_cast<double>(stage.tokens) +
              static_cast<double>(stage.fit.tokens) / flops_share(stage) +
              (stage.selection.flops + stage.start.total) / expected_flops_per_token(stage).total);
  cost.costs.evaluation_seconds = each * kForwardShare * static_cast<double>(cost.evaluations) *
                                  static_cast<double>(s.evaluate.tokens);
  // A growth is assumed to take as long as writing the larger state once.
  const std::int64_t written = cost.checkpoints + (stage.growth ? 1 : 0);
  cost.costs.saving_seconds =
      static_cast<double>(written) * static_cast<double>(stage.checkpoint_bytes) / s.machine.disk;
  cost.costs.money = cost.costs.seconds() / 3600 * s.machine.price_per_hour;
}

// Computes what processes send in a step, and sets the seconds of a token. alone: those of one
// process, or 0.
void share_step(const RunPlan& plan, const StagePlan& stage, double alone,
                const Processes& processes, StageCost& cost) {
  const schedule::Schedule& s = plan.schedule;
  const auto step_tokens = static_cast<double>(s.batch.sequences * stage.model.context);
  const double work = processes.count == 1 ? 1 : step_share(s, processes).work;
  cost.exchange = step_exchange(s, stage.params.total, processes, alone * work * step_tokens);
  cost.seconds_alone = alone;
  if (alone > 0)
    cost.seconds_per_token =
        alone * work + (cost.exchange.seconds - cost.exchange.hidden) / step_tokens;
}

StageCost stage_cost(const RunPlan& plan, const StagePlan& stage, std::int64_t tokens_before,
                     const Measurements& known, const Processes& processes) {
  StageCost cost;
  count_flops(plan, stage, cost.costs);
  cost.memory =
      training_memory(plan.schedule, executed_model(stage), stage.params.total, processes);
  cost.memory.moments += policy_memory(plan.schedule, stage);
  cost.growth_bytes = static_cast<double>(stage.growth_memory_bytes);
  if (processes.sharding == Sharding::full)
    cost.growth_bytes /= static_cast<double>(processes.count);
  cost.lost_steps = (static_cast<double>(stage.first_step == 0 ? plan.warmup_steps : 0) +
                     static_cast<double>(stage.growth ? stage.rewarm_steps : 0)) /
                    2;
  const auto time = token_time(plan, stage, known);
  share_step(plan, stage, time ? time->seconds : 0, processes, cost);
  if (time) {
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
                                          100 * machine.utilisation, short_count(machine.flops)) +
                              (machine.half_width > 0 ? ", less for narrow models" : "");
  if (!cost.timed)
    return "not known: measure it with stagedtrain plan --measure SCHEDULE, or give machine.flops";
  if (measured == 0) return assumed;
  if (measured == cost.stages.size()) return "measured";
  return fmt::format("measured for {} of {} stages; for the others {}", measured,
                     cost.stages.size(), assumed);
}

double needed_bytes(const StageCost& stage) {
  return stage.measured_bytes.value_or(stage.memory.total());
}

void check_memory(const RunPlan& plan, const RunCost& cost) {
  if (fits_memory(plan, cost)) return;
  const double most = plan.schedule.machine.memory;
  for (std::size_t i = 0; i < cost.stages.size(); ++i) {
    const double needed = needed_bytes(cost.stages[i]);
    if (needed <= most) continue;
    const auto fits = cheapest_sharding(plan, cost);
    throw usage_error("{}: training takes {} of memory, expected at most machine.memory, {}",
                      plan.stages[i].name, short_bytes(needed), short_bytes(most))
        .with_hint(fits ? fmt::format("use --sharding {}", sharding_name(*fits))
                        : "use a smaller batch.micro, batch.recompute: blocks, precision: bf16, or "
                          "several processes with --sharding full");
  }
}

// Returns the costs without a check of memory.
RunCost costs_of(const RunPlan& plan, const Measurements& known, const Processes& processes) {
  RunCost cost;
  cost.processes = processes;
  cost.timed = true;
  cost.price_per_hour = plan.schedule.machine.price_per_hour;
  std::int64_t tokens_before = 0;
  for (const StagePlan& stage : plan.stages) {
    tokens_before += stage.fit.tokens;
    cost.stages.push_back(stage_cost(plan, stage, tokens_before, known, processes));
    tokens_before += stage.tokens;
    cost.total += cost.stages.back().costs;
    cost.timed = cost.timed && cost.stages.back().seconds_per_token > 0;
  }
  cost.time_source = source_of_time(plan, cost);
  return cost;
}

// Returns what decides between shardings: the time of training, or else the bytes that are sent.
double expense(const RunPlan& plan, const RunCost& cost) {
  if (cost.timed) return cost.total.training_seconds;
  double sent = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    sent += cost.stages[i].exchange.sent.total() * static_cast<double>(plan.stages[i].steps);
  return sent;
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
  const double reached = machine.flops * reached_share(machine, stage.model.width);
  return TokenTime{flops * flops_share(stage) / reached};
}

double reached_share(const schedule::MachineSpec& machine, std::int64_t width) {
  const auto wide = static_cast<double>(width);
  return machine.utilisation * wide / (wide + machine.half_width);
}

RunCost run_cost(const RunPlan& plan, const Measurements& known, const Processes& processes) {
  RunCost cost = costs_of(plan, known, processes);
  if (processes.count > 1)
    for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::full})
      if (!obstacle_to_sharding(plan, sharding))
        cost.shardings.push_back(costs_of(plan, known, {processes.count, sharding}));
  check_memory(plan, cost);
  return cost;
}

double largest_memory(const RunCost& cost) {
  double most = 0;
  for (const StageCost& stage : cost.stages) most = std::max(most, stage.memory.total());
  return most;
}

bool fits_memory(const RunPlan& plan, const RunCost& cost) {
  const double most = plan.schedule.machine.memory;
  return most == 0 || std::ranges::all_of(cost.stages, [most](const StageCost& stage) {
           return needed_bytes(stage) <= most;
         });
}

std::optional<Sharding> cheapest_sharding(const RunPlan& plan, const RunCost& cost) {
  const RunCost* cheapest = nullptr;
  for (const RunCost& one : cost.shardings)
    if (fits_memory(plan, one) && (!cheapest || expense(plan, one) < expense(plan, *cheapest)))
      cheapest = &one;
  return cheapest ? std::optional(cheapest->processes.sharding) : std::nullopt;
}

double efficiency(const StageCost& stage, const Processes& processes) {
  if (stage.seconds_per_token == 0) return 0;
  return stage.seconds_alone / (static_cast<double>(processes.count) * stage.seconds_per_token);
}

double efficiency(const RunPlan& plan, const RunCost& cost) {
  if (!cost.timed) return 0;
  double alone = 0;
  for (std::size_t i = 0; i < plan.stages.size(); ++i)
    alone += cost.stages[i].seconds_alone * static_cast<double>(plan.stages[i].tokens);
  return alone / (static_cast<double>(cost.processes.count) * cost.total.training_seconds);
}

}  // namespace stagedtrain::plan
