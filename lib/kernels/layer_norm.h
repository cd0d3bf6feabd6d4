// Computes layer normalisation, alone or fused with the residual addition before it.
#pragma once

#include <cstdint>

#include "kernels/norm_mean.h"

namespace stagedtrain::kernels {

// y = (x - mean) * rstd * gamma + beta with rstd = 1 / sqrt(var + eps) (arXiv 1607.06450). The
// variance divides by width, not by width - 1. Arrays of rows have the shape [rows, width]; a call
// works on rows [begin, end). `over` says how to take means.

// Writes y, and mean[r] and rstd[r] for the backward pass. y may be x.
void layer_norm(const float* x, const float* gamma, const float* beta, float eps,
                std::int64_t begin, std::int64_t end, std::int64_t width, float* y, float* mean,
                float* rstd, const NormMean& over = {});

// Computes sum = x + branch + bias and y = layer_norm(sum). bias [width] belongs to the linear
// layer that computed branch; it may be null. sum may be x or branch (in place). y may be branch
// but must not be sum.
void residual_layer_norm(const float* x, const float* branch, const float* bias, const float* gamma,
                         const float* beta, float eps, std::int64_t begin, std::int64_t end,
                         std::int64_t width, float* sum, float* y, float* mean, float* rstd,
                         const NormMean& over = {});

// Where sums over rows are added. Each has the shape [width] and is one partial sum for each
// concurrent range (partial_sums.h).
struct LayerNormSums {
  float* dgamma = nullptr;  // += sum of dy * (x - mean) * rstd
  float* dbeta = nullptr;   // += sum of dy
  float* dbias = nullptr;   // += sum of the finished dresidual rows, or null: the gradient of the
                            // bias of the linear layer whose output was added just before this norm
};

// Computes dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), where g = dy * gamma and xhat = (x -
// mean) * rstd. (With weights both means are sums over total, and are multiplied by the weights.)
// dx is added to dresidual, or replaces it if overwrite is true (for the first gradient that
// arrives). x is what was normalised, that is, `sum` above. dresidual may be dy only if overwrite
// is true.
void layer_norm_backward(const float* dy, const float* x, const float* mean, const float* rstd,
                         const float* gamma, std::int64_t begin, std::int64_t end,
                         std::int64_t width, bool overwrite, float* dresidual,
                         const LayerNormSums& sums, const NormMean& over = {});

}  // namespace stagedtrain::kernels
