// Counts of passes, leaves of passes and nodes of the tree that adds them up.
#include "plan/processes.h"

#include <algorithm>
#include <bit>

#include "base/error.h"

namespace stagedtrain::plan {
namespace {

using schedule::Precision;

constexpr std::int64_t kMostLeaves = 8;  // as dist::kMostLeaves

// The nodes of the tree over [0, leaves) that make up [begin, end): blocks whose size is a power of
// two and divides their begin; the last may be cut off by the end of the tree.
std::int64_t count_nodes(std::int64_t begin, std::int64_t end, std::int64_t leaves) {
  std::int64_t count = 0;
  while (begin < end) {
    std::int64_t size = 1;
    while (begin % (2 * size) == 0 && (begin + 2 * size <= end || end == leaves) &&
           size < end - begin)
      size *= 2;
    begin += size;
    ++count;
  }
  return count;
}

}  // namespace

StepShare step_share(const schedule::Schedule& s, const Processes& processes) {
  const std::int64_t ranks = processes.count, sequences = s.batch.sequences;
  StepShare share;
  share.rows = s.batch.micro ? s.batch.micro : (sequences + ranks - 1) / ranks;
  const std::int64_t passes = (sequences + share.rows - 1) / share.rows;
  share.idle = std::max<std::int64_t>(0, ranks - passes);
  const std::int64_t most = s.precision == Precision::bf16 ? 1 : kMostLeaves;
  const std::int64_t leaves = std::min(passes, std::max(most, ranks));
  std::int64_t most_passes = 0;
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const std::int64_t begin = leaves * rank / ranks, end = leaves * (rank + 1) / ranks;
    most_passes = std::max(most_passes, passes * end / leaves - passes * begin / leaves);
    share.sent = std::max(share.sent, count_nodes(begin, end, leaves));
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
  const double number = s.precision == Precision::fp64 ? 8 : 4;
  const auto others = static_cast<double>(processes.count - 1) / static_cast<double>(processes.count);
  const auto flat = number * static_cast<double>(parameters);
  return flat * others * static_cast<double>(step_share(s, processes).sent + 1);
}

void refuse_to_share(schedule::OptimizerName name) {
  if (name == schedule::OptimizerName::adamw) return;
  throw usage_error(
      "--sharding optimizer: found optimizer.name: {}, expected adamw, whose steps alone can be "
      "made on parts of tensors",
      enum_name(name))
      .with_hint("leave --sharding out; every process then keeps all moments");
}

}  // namespace stagedtrain::plan
