// Own CUDA kernels must agree with LibTorch's on the very card before a run may use them.
#pragma once

#include <string>
#include <vector>

#include "model/block_ops.h"
#include "model/param_buffer.h"

namespace stagedtrain::model {

// How far two ways to compute may be apart, relative to the largest number. In bfloat16 gradients
// are sums of many rounded numbers.
double allowed_difference(at::ScalarType products);

struct OpCheck {
  std::string name;
  double difference = 0;  // the largest, relative to the largest expected number; NaN counts as bad
  double allowed = 0;
  bool passed() const { return difference <= allowed; }
};

// Every operation and its gradients by `own` and by ATen, then an AdamW step and a gradient norm by
// own kernels, all on one small random batch. dtype: float32 or bfloat16.
std::vector<OpCheck> check_cuda_kernels(const BlockOps& own, at::Device device,
                                        at::ScalarType dtype);

bool has_gpu_kernels();

// Own operations for this CUDA device, or null where this build has none or they failed the check.
// Checks once for each device and type, and says on stderr how that went.
const BlockOps* checked_cuda_ops(at::Device device, at::ScalarType dtype);

}  // namespace stagedtrain::model
