// Checks that the project's CUDA kernels agree with LibTorch's on the actual GPU before a run uses
// them.
#pragma once

#include <string>
#include <vector>

#include "model/block_ops.h"
#include "model/param_buffer.h"

namespace stagedtrain::model {

// Returns the largest allowed difference between two computations, relative to the largest element.
// It is wide for bfloat16, where gradients are sums of many rounded numbers.
double allowed_difference(at::ScalarType products);

struct OpCheck {
  std::string name;
  // the largest difference relative to the largest expected element; NaN fails
  double difference = 0;
  double allowed = 0;
  bool passed() const { return difference <= allowed; }
};

// Compares every operation of `own` and its gradients with ATen's, and then one AdamW step and one
// gradient norm of the CUDA kernels, on a small random batch. dtype is float32 or bfloat16.
std::vector<OpCheck> check_cuda_kernels(const BlockOps& own, at::Device device,
                                        at::ScalarType dtype);

bool has_gpu_kernels();

// Returns the CUDA operations for this device, or null if this build has none or they failed the
// check. Checks once for each device and type, and prints the outcome to stderr.
const BlockOps* checked_cuda_ops(at::Device device, at::ScalarType dtype);

}  // namespace stagedtrain::model
