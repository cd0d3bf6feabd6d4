// Counts the passes of each process, and the nodes of the tree that sums their gradients.
#include "plan/processes.h"

#include <algorithm>
#include <bit>

#include "arch/loops.h"
#include "arch/routed_layers.h"
#include "base/error.h"
#include "base/sum_order.h"
#include "plan/stage_policy.h"

namespace stagedtrain::plan {

Sharding sharding_named(const std::string& name) {
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::full})
    if (name == sharding_name(sharding)) return sharding;
  throw usage_error("--sharding: found '{}', expected none, optimizer or full", name);
}

namespace {

// Processes take passes in turns, and every pass is a leaf of the sum (optim/full_shards.cc).
StepShare share_in_turns(const schedule::Schedule& s, std::int64_t ranks, StepShare share) {
  const std::int64_t passes = (s.batch.sequences + share.rows - 1) / share.rows;
  std::uint64_t kept = 0;  // the sizes of the sums that are kept between passes, as bits
  for (std::int64_t first = ranks; first < passes; first += ranks)
    kept |= static_cast<std::uint64_t>(first);
  share.partial_sums = std::popcount(kept);
  share.sent = share.rounds;
  share.work = std::min(
      1.0, static_cast<double>(share.rounds * share.rows) / static_cast<double>(s.batch.sequences));
  return share;
}

}  // namespace

StepShare step_share(const schedule::Schedule& s, const Processes& processes) {
  const std::int64_t ranks = processes.count, sequences = s.batch.sequences;
  StepShare share;
  share.rows = s.batch.micro ? s.batch.micro : (sequences + ranks - 1) / ranks;
  const std::int64_t passes = (sequences + share.rows - 1) / share.rows;
  share.idle = std::max<std::int64_t>(0, ranks - passes);
  const std::int64_t most = s.precision == schedule::Precision::bf16 ? 1 : kMostLeaves;
  share.rounds = (passes + ranks - 1) / ranks;
  if (processes.sharding == Sharding::full && ranks > 1) return share_in_turns(s, ranks, share);
  const std::int64_t leaves =
      processes.sharding == Sharding::full ? passes : leaves_of(passes, ranks, most);
  std::int64_t most_passes = 0;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const Range own = part_of(leaves, rank, ranks);
    most_passes = std::max(most_passes, passes * own.end / leaves - passes * own.begin / leaves);
    share.sent = std::max(share.sent, std::ssize(nodes_of(leaves, rank, ranks)));
  }
  const auto largest = static_cast<std::uint64_t>((leaves + ranks - 1) / ranks);
  share.partial_sums = std::bit_width(largest - 1);
  share.work =
      std::min(1.0, static_cast<double>(most_passes * share.rows) / static_cast<double>(sequences));
  return share;
}

StepTraffic step_traffic(const schedule::Schedule& s, std::int64_t parameters,
                         const Processes& processes) {
  if (processes.count == 1) return {};
  const double number = s.precision == schedule::Precision::fp64 ? 8 : 4;
  const auto params = static_cast<double>(parameters);
  const double gradients = number * params * static_cast<double>(step_share(s, processes).sent);
  if (processes.sharding != Sharding::full) return {gradients, number * params};
  const double weight = s.precision == schedule::Precision::bf16 ? 2 : number;
  return {gradients, 2 * gradients / number * weight};
}

namespace {

std::optional<Error> full_needs(const std::string& found, const std::string& expected) {
  return usage_error("--sharding full: found {}, expected {}", found, expected)
      .with_hint("use --sharding optimizer, which divides the moments only");
}

}  // namespace

std::optional<Error> obstacle_to_sharding(const RunPlan& plan, Sharding sharding) {
  if (sharding == Sharding::none) return {};
  const schedule::OptimizerName name = plan.schedule.optimizer.name;
  if (name != schedule::OptimizerName::adamw)
    return usage_error(
               "--sharding {}: found optimizer.name: {}, expected adamw, the only one that can "
               "update parts of tensors",
               sharding_name(sharding), enum_name(name))
        .with_hint("leave out --sharding; every process then keeps all moments");
  for (const StagePlan& stage : plan.stages)
    if (stage.policies.adapters)
      return usage_error("--sharding {}: found stage {}, which has adapters, expected none",
                         sharding_name(sharding), stage.name)
          .with_hint("leave out --sharding; every process then keeps all moments");
  if (sharding != Sharding::full) return {};
  if (plan.schedule.precision == schedule::Precision::fp64)
    return full_needs("precision: fp64", "fp32 or bf16");
  if (selection_of(plan.schedule)) return full_needs("data.select", "a schedule without it");
  for (const StagePlan& stage : plan.stages) {
    if (stage.policies.layer_sharing || stage.policies.teacher)
      return full_needs(fmt::format("stage {}, which has {}", stage.name, policy_key(stage)),
                        "another policy");
    if (arch::is_looped(stage.model))
      return full_needs("stage " + stage.name + ", whose model has a looped core",
                        "a model with core: 0");
    if (arch::has_routed_layers(stage.model))
      return full_needs("stage " + stage.name + ", whose model has routed layers",
                        "a model with routed_every: 0");
    if (!stage.growth) continue;
    if (stage.fit.steps > 0)
      return full_needs("stage " + stage.name + ", whose growth is fitted",
                        "fit.steps: 0, or another operator");
    for (const grow::GrowthStep& step : stage.growth->steps)
      if (step.mask_steps > 0)
        return full_needs("stage " + stage.name + ", which grows with the operator mask",
                          "other operators");
  }
  return {};
}

void refuse_sharding(const RunPlan& plan, Sharding sharding) {
  if (const std::optional<Error> obstacle = obstacle_to_sharding(plan, sharding)) throw *obstacle;
}

}  // namespace stagedtrain::plan
