// How does a norm weight the entries of a row when it takes their mean?
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// The mean of a row x is sum(weights * x) / total, where total is the sum of the weights. Without
// weights it is the plain mean over the width. Norms behind a growth mask have weights
// (model/reference_mask.h).
struct NormMean {
  const float* weights = nullptr;  // [width], or null
  float total = 0;

  float divisor(std::int64_t width) const { return weights ? total : static_cast<float>(width); }
};

}  // namespace stagedtrain::kernels
