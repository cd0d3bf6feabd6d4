// How is the work of a step divided among the processes of a run (docs/cluster.md)?
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::plan {

struct Processes {
  std::int64_t count = 1;
  bool shared_optimizer = false;  // train --sharding optimizer (ZeRO-1)
};

// The share of the busiest process.
struct StepShare {
  std::int64_t rows = 0;          // sequences in one of its passes
  double work = 1;                // its sequences, as a share of the batch
  std::int64_t partial_sums = 0;  // how many flat gradients it keeps to sum passes in a fixed order
  std::int64_t sent = 0;  // from how many flat gradients it sends the parts of other processes
  std::int64_t idle = 0;  // how many processes have no pass in a step
};
// Passes are summed in the order of base/sum_order.h. In bf16, which is for GPUs, every process
// adds its passes one after the other and keeps no partial sums.
StepShare step_share(const schedule::Schedule& schedule, const Processes& processes = {});

// Returns the bytes that a process sends in a step of a model with so many parameters: first the
// parts of its gradients that other processes sum; then its part of the result, which is gradients,
// or weights with a shared optimizer. Returns 0 for one process.
double sent_bytes(const schedule::Schedule& schedule, std::int64_t parameters,
                  const Processes& processes);

// Throws Error(usage) if the optimizer cannot update parts of tensors, as --sharding optimizer
// needs it.
void refuse_to_share(schedule::OptimizerName name);

}  // namespace stagedtrain::plan
