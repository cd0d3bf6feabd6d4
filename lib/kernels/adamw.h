// Updates weights by AdamW with decoupled weight decay, and sums squares for gradient clipping.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// The constants of one step. bias_correction1 = 1 - beta1^step and bias_correction2 = 1 -
// beta2^step, where step counts from 1. Every gradient is multiplied by gradient_factor, which
// combines clipping with the division by the number of accumulated batches.
struct AdamWStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  double bias_correction1 = 1, bias_correction2 = 1;
  double gradient_factor = 1;
};

// Updates elements [begin, end) as torch.optim.AdamW does (arXiv 1711.05101):
//   g' = gradient_factor * g; w *= 1 - lr * weight_decay
//   m += (1 - beta1) * (g' - m); v = beta2 * v + (1 - beta2) * g'^2
//   w -= lr / bias_correction1 * m / (sqrt(v) / sqrt(bias_correction2) + eps)
// If zero_gradient is true, g is set to zero in the same pass; otherwise it stays as it is. No
// array may overlap another. The result does not depend on how the elements are split.
void adamw(const AdamWStep& step, std::int64_t begin, std::int64_t end, bool zero_gradient,
           float* w, float* g, float* m, float* v);

// The number of elements in one block of sum_of_squares.
inline constexpr std::int64_t kSumBlock = 16384;
inline constexpr std::int64_t num_sum_blocks(std::int64_t size) {
  return (size + kSumBlock - 1) / kSumBlock;
}

// Sets partials[b] to the sum of x[i]^2 over the elements of block b, in double, for blocks [begin,
// end) of an array of `size` elements. The caller adds the partials in order, so the total does not
// depend on the number of threads.
void sum_of_squares(const float* x, std::int64_t size, std::int64_t begin, std::int64_t end,
                    double* partials);

}  // namespace stagedtrain::kernels
