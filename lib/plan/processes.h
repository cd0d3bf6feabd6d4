// How is the work of a step divided among the processes of a run (docs/cluster.md)?
#pragma once

#include <optional>

#include "base/error.h"
#include "schedule/schedule.h"

namespace stagedtrain::plan {

// What processes divide among themselves besides the batch (train --sharding). optimizer: the
// moments and the work of AdamW (ZeRO-1). full: weights and gradients too, which are gathered block
// by block (ZeRO-3).
enum class Sharding { none, optimizer, full };
inline constexpr const char* kShardingNames[] = {"none", "optimizer", "full"};
inline const char* sharding_name(Sharding sharding) {
  return kShardingNames[static_cast<int>(sharding)];
}
// Throws Error(usage) for any other word.
Sharding sharding_named(const std::string& name);

struct Processes {
  std::int64_t count = 1;
  Sharding sharding = Sharding::none;
};

// The share of the busiest process.
struct StepShare {
  std::int64_t rows = 0;          // sequences in one of its passes
  double work = 1;                // its sequences, as a share of the batch
  std::int64_t partial_sums = 0;  // how many flat gradients it keeps to sum passes in a fixed order
  std::int64_t sent = 0;  // from how many flat gradients it sends the parts of other processes
  std::int64_t rounds = 1;  // how many passes it makes
  std::int64_t idle = 0;  // how many processes have no pass in a step
};
// Passes are summed in the order of base/sum_order.h. In bf16, which is for GPUs, every process
// adds its passes one after the other and keeps no partial sums.
StepShare step_share(const schedule::Schedule& schedule, const Processes& processes = {});

// The sizes in bytes of the flat buffers that processes exchange in a step; each sends a part of
// them (cost/communication.h).
struct StepTraffic {
  double summed = 0;    // gradients, whose parts are summed by the processes that own them
  double gathered = 0;  // gradients or weights, whose parts are copied to all processes
};
// Without sharding, sums of gradients are gathered; with a shared optimizer, weights: twice the
// parameters in all. With full sharding, weights are gathered twice in each pass, and gradients
// summed after it: three times (ZeRO, Rajbhandari et al., arXiv 1910.02054). Gradients
// are fp32, and fp64 in fp64; gathered weights are bf16 with full sharding in bf16. Returns zeros
// for one process.
StepTraffic step_traffic(const schedule::Schedule& schedule, std::int64_t parameters,
                         const Processes& processes);

struct RunPlan;
// Returns the error that says what of a plan this sharding does not support, and what to use
// instead, or nothing.
std::optional<Error> obstacle_to_sharding(const RunPlan& plan, Sharding sharding);
// Throws that error.
void refuse_sharding(const RunPlan& plan, Sharding sharding);

}  // namespace stagedtrain::plan
