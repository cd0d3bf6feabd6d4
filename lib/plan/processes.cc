// Counts the passes of each process, and the nodes of the tree that sums their gradients.
#include "plan/processes.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/sum_order.h"

namespace stagedtrain::plan {
StepShare step_share(const schedule::Schedule& s, const Processes& processes) {
  const std::int64_t ranks = processes.count, sequences = s.batch.sequences;
  StepShare share;
  share.rows = s.batch.micro ? s.batch.micro : (sequences + ranks - 1) / ranks;
  const std::int64_t passes = (sequences + share.rows - 1) / share.rows;
  share.idle = std::max<std::int64_t>(0, ranks - passes);
  const std::int64_t most = s.precision == schedule::Precision::bf16 ? 1 : kMostLeaves;
  const std::int64_t leaves = leaves_of(passes, ranks, most);
  std::int64_t most_passes = 0;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const Range own = part_of(leaves, rank, ranks);
    most_passes = std::max(most_passes, passes * own.end / leaves - passes * own.begin / leaves);
    share.sent = std::max(share.sent, std::ssize(nodes_of(leaves, rank, ranks)));
  }
  const auto largest = static_cast<std::uint64_t>((leaves + ranks - 1) / ranks);
  share.partial_sums = std::bit_width(largest - 1);
  share.work = std::min(1.0, static_cast<double>(most_passes * share.rows) /
                                 static_cast<double>(sequences));
  return share;
}

double sent_bytes(const schedule::Schedule& s, std::int64_t parameters,
                  const Processes& processes) {
  if (processes.count == 1) return 0;
  const double number = s.precision == schedule::Precision::fp64 ? 8 : 4;
  const auto others = static_cast<double>(processes.count - 1) / static_cast<double>(processes.count);
  const auto flat = number * static_cast<double>(parameters);
  return flat * others * static_cast<double>(step_share(s, processes).sent + 1);
}

void refuse_to_share(schedule::OptimizerName name) {
  if (name == schedule::OptimizerName::adamw) return;
  throw usage_error(
      "--sharding optimizer: found optimizer.name: {}, expected adamw, the only one that can "
      "update parts of tensors",
      enum_name(name))
      .with_hint("leave out --sharding; every process then keeps all moments");
}

}  // namespace stagedtrain::plan
