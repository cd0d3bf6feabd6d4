// The linear layers of the reference models.
#pragma once

#include <ATen/ATen.h>

namespace stagedtrain::model {

// Returns x weight^T + bias, with x [.., in] and weight [out, in]; bias may be undefined. Without
// gradients, a few rows of float32 or bfloat16 on a CPU are multiplied by a kernel of ours at the
// speed of memory (products/few_row_product.h), because MKL's is up to twice as slow; all others by
// ATen.
at::Tensor apply_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias = {});

// Returns the first `count` entries along a dimension; all of them, and an undefined tensor, as
// they are.
inline at::Tensor first_of(const at::Tensor& x, std::int64_t dimension, std::int64_t count) {
  return !x.defined() || x.size(dimension) == count ? x : x.narrow(dimension, 0, count);
}

}  // namespace stagedtrain::model
