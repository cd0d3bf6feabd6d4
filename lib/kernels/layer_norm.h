// Layer normalisation, alone or fused with the residual addition before it, and its backward.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// All arrays of rows are [rows, width]; a call works on rows [begin, end).
// y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(var + eps), var over width (not width - 1).

// Writes y, and mean[r], rstd[r] for the backward. y may be x.
void layer_norm(const float* x, const float* gamma, const float* beta, float eps,
                std::int64_t begin, std::int64_t end, std::int64_t width, float* y, float* mean,
                float* rstd);

// sum = x + branch + bias; y = layer_norm(sum). bias [width]: that of the linear layer that made
// branch, or null. sum may be x or branch (in place); y may be branch, and must not be sum.
void residual_layer_norm(const float* x, const float* branch, const float* bias, const float* gamma,
                         const float* beta, float eps, std::int64_t begin, std::int64_t end,
                         std::int64_t width, float* sum, float* y, float* mean, float* rstd);

// Where the sums over rows go: [width] each, one partial sum per concurrent range (partial_sums.h).
struct LayerNormSums {
  float* dgamma = nullptr;  // += sum of dy * (x - mean) * rstd
  float* dbeta = nullptr;   // += sum of dy
  float* dbias = nullptr;   // += sum of the finished dresidual rows, or null: the gradient of the
                            // bias of the linear layer whose output was added just before this norm
};

// dresidual += dx (or = dx where overwrite is true: the first gradient to arrive), with
// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * gamma, xhat = (x - mean) * rstd.
// x: what was normalised (sum, above). dresidual may be dy only where overwrite is true.
void layer_norm_backward(const float* dy, const float* x, const float* mean, const float* rstd,
                         const float* gamma, std::int64_t begin, std::int64_t end,
                         std::int64_t width, bool overwrite, float* dresidual,
                         const LayerNormSums& sums);

}  // namespace stagedtrain::kernels
