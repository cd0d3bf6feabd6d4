// Computes root-mean-square normalisation, alone or fused with the residual addition before it.
#pragma once

#include <cstdint>

#include "kernels/norm_mean.h"

namespace stagedtrain::kernels {

// y = x * rstd * gamma with rstd = 1 / sqrt(mean(x^2) + eps) (arXiv 1910.07467). Arrays of rows
// have the shape [rows, width]; a call works on rows [begin, end). `over` says how to take means.

// Writes y, and rstd[r] for the backward pass. y may be x.
void rms_norm(const float* x, const float* gamma, float eps, std::int64_t begin, std::int64_t end,
              std::int64_t width, float* y, float* rstd, const NormMean& over = {});

// Computes sum = x + branch and y = rms_norm(sum). sum may be x or branch (in place). y may be
// branch but must not be sum.
void residual_rms_norm(const float* x, const float* branch, const float* gamma, float eps,
                       std::int64_t begin, std::int64_t end, std::int64_t width, float* sum,
                       float* y, float* rstd, const NormMean& over = {});

// Computes dx = rstd * (g - xhat * mean(g * xhat)), where g = dy * gamma and xhat = x * rstd (with
// weights: rstd * (g - weights * xhat * sum(g * xhat) / total)). dx is added to dresidual, or
// replaces it if overwrite is true. The sum of dy * xhat is added to dgamma, which is one partial
// sum for each concurrent range (partial_sums.h). x is what was normalised. dresidual may be dy
// only if overwrite is true.
void rms_norm_backward(const float* dy, const float* x, const float* rstd, const float* gamma,
                       std::int64_t begin, std::int64_t end, std::int64_t width, bool overwrite,
                       float* dresidual, float* dgamma, const NormMean& over = {});

}  // namespace stagedtrain::kernels
