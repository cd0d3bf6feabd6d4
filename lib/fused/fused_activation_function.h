// Chooses the activation function of a feed-forward: SwiGLU, or GELU in one of its two forms.
#pragma once

#include "fused/fused_passes.h"
#include "kernels/bias.h"
#include "kernels/erf_gelu.h"
#include "kernels/gelu.h"
#include "kernels/swiglu.h"

namespace stagedtrain::model {

// Computes up = x W^T + bias and the hidden units, of which there are `units`, for the rows of
// `rows`.
inline void project_up(const FusedRun& run, const Weight& weight, const float* x, const float* bias,
                       std::int64_t units, float* up, const RowWork& rows) {
  const FusedSizes& s = run.sizes;
  float* hidden = run.acts.hidden;
  if (!s.gated() && !s.style.exact_gelu)
    return rows.multiply(weight, x, up, {.bias = bias, .gelu = hidden});
  rows.multiply(weight, x, up, {.bias = bias});
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    if (s.gated())
      kernels::swiglu(up, begin, end, units, hidden);
    else
      kernels::erf_gelu(up, begin, end, units, hidden);
  });
}

// Computes acts.dup from acts.dhidden, and the hidden units again, for rows [begin, end). Adds the
// gradient of up's bias to dbias, a partial sum, unless that is null.
inline void activation_backward(const FusedRun& run, const float* up, std::int64_t units,
                                std::int64_t begin, std::int64_t end, float* dbias) {
  const FusedActivations& a = run.acts;
  if (run.sizes.gated())
    return kernels::swiglu_backward(a.dhidden, up, begin, end, units, a.dup, a.hidden);
  if (!run.sizes.style.exact_gelu)
    return kernels::gelu_backward(a.dhidden, up, begin, end, units, a.dup, dbias, a.hidden);
  kernels::erf_gelu_backward(a.dhidden, up, begin, end, units, a.dup, a.hidden);
  if (dbias) kernels::bias_backward(a.dup, begin, end, units, dbias);
}

}  // namespace stagedtrain::model
