// Does a pass have so few rows that our kernels replace ATen's operators?
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "products/few_row_product.h"

namespace stagedtrain::model {

// Returns whether x [.., C] has at most kernels::kFewRows rows of this type on a CPU, as a decoder
// reads them, and no gradient is wanted. The time of such a pass is that of reading the weights,
// and ATen's dispatching would add a third.
inline bool has_few_rows(const at::Tensor& x, at::ScalarType type = at::kFloat) {
  return !at::GradMode::is_enabled() && x.is_cpu() && x.scalar_type() == type && x.numel() > 0 &&
         x.numel() <= kernels::kFewRows * x.size(-1) && x.is_contiguous();
}

}  // namespace stagedtrain::model
