// Root-mean-square normalisation, alone or fused with the residual addition before it, and its
// backward.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// All arrays of rows are [rows, width]; a call works on rows [begin, end).
// y = x * rstd * gamma, rstd = 1 / sqrt(mean(x^2) + eps).

// Writes y, and rstd[r] for the backward. y may be x.
void rms_norm(const float* x, const float* gamma, float eps, std::int64_t begin, std::int64_t end,
              std::int64_t width, float* y, float* rstd);

// sum = x + branch; y = rms_norm(sum). sum may be x or branch (in place); y may be branch, and must
// not be sum.
void residual_rms_norm(const float* x, const float* branch, const float* gamma, float eps,
                       std::int64_t begin, std::int64_t end, std::int64_t width, float* sum,
                       float* y, float* rstd);

// dresidual += dx (or = dx where overwrite is true), with dx = rstd * (g - xhat * mean(g * xhat)),
// g = dy * gamma, xhat = x * rstd; dgamma += sum of dy * xhat, one partial sum per concurrent range
// (partial_sums.h). x: what was normalised. dresidual may be dy only where overwrite is true.
void rms_norm_backward(const float* dy, const float* x, const float* rstd, const float* gamma,
                       std::int64_t begin, std::int64_t end, std::int64_t width, bool overwrite,
                       float* dresidual, float* dgamma);

}  // namespace stagedtrain::kernels
