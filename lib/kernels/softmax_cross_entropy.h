// Cross-entropy of rows of logits, with their gradient written over them.
#pragma once

#include <cstdint>

#include "kernels/token_view.h"

namespace stagedtrain::kernels {

// A chunk of logits: [rows, stride], of which the first vocab columns count; columns beyond are
// padding, never read, and get a gradient of zero. Row r predicts targets[first_row + r]. A
// negative target means that the row is not scored: loss 0, gradient 0. Every other target is below
// vocab.
struct LogitChunk {
  float* logits = nullptr;
  std::int64_t vocab = 0;
  std::int64_t stride = 0;
  TokenView targets;
  std::int64_t first_row = 0;
};

// For rows [begin, end) of the chunk: losses[r] = lse - logit[target] with lse =
// log(sum(exp(logit))), and logits become scale * d(losses[r] + z_loss * lse^2) / dlogits. scale:
// usually 1 / number of scored tokens. losses: [rows]. Two passes over the row, one exp per logit.
void softmax_cross_entropy(const LogitChunk& chunk, std::int64_t begin, std::int64_t end,
                           float scale, float z_loss, double* losses);

// The loss alone; logits are left as they are.
void cross_entropy(const LogitChunk& chunk, std::int64_t begin, std::int64_t end, double* losses);

}  // namespace stagedtrain::kernels
