// How the work of a step is shared out over the processes of a run (docs/cluster.md).
#pragma once

#include "schedule/schedule.h"

namespace stagedtrain::plan {

struct Processes {
  std::int64_t count = 1;
  bool shared_optimizer = false;  // train --sharding optimizer (ZeRO-1)
};

// Of the busiest process.
struct StepShare {
  std::int64_t rows = 0;          // sequences in one of its passes
  double work = 1;                // its sequences, as a share of the batch
  std::int64_t partial_sums = 0;  // flat gradients that it keeps to add up passes in a fixed order
  std::int64_t sent = 0;          // flat gradients of which it sends the parts of others
  std::int64_t idle = 0;          // processes for which a step has no pass
};
// Passes are added in the order of base/sum_order.h. In bf16, which is for GPUs, every process
// adds up its passes one after the other and keeps no partial sums.
StepShare step_share(const schedule::Schedule& schedule, const Processes& processes = {});

// Bytes that a process sends in a step of a model with so many parameters: the parts of its
// gradients that other processes add up; then its part of the result, which is the gradients, or
// with a shared optimizer the weights. 0 for one process.
double sent_bytes(const schedule::Schedule& schedule, std::int64_t parameters,
                  const Processes& processes);

// Throws Error(usage) if the optimizer cannot make its steps on parts of tensors, as processes that
// share it out have to.
void refuse_to_share(schedule::OptimizerName name);

}  // namespace stagedtrain::plan
