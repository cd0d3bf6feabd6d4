// The linear layers of the reference models.
#pragma once

#include <ATen/ATen.h>

namespace stagedtrain::model {

// Returns x weight^T + bias, with x [.., in] and weight [out, in]; bias may be undefined. Without
// gradients, a few rows of float32 or bfloat16 on a CPU are multiplied by a kernel of ours at the
// speed of memory (products/few_row_product.h), because MKL's is up to twice as slow; all others by
// ATen.
at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

}  // namespace stagedtrain::model
