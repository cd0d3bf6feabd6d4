// Computes the cross-entropy of rows of logits, and replaces the logits by their gradient.
#pragma once

#include <cstdint>

#include "kernels/token_view.h"

namespace stagedtrain::kernels {

// A chunk of logits of shape [rows, stride]. The first `vocab` columns hold logits. The columns
// beyond are padding: they are never read and get a gradient of zero. Row r predicts
// targets[first_row + r]. A negative target means that the row is not scored, so its loss and
// gradient are 0. Every other target must be below vocab.
struct LogitChunk {
  float* logits = nullptr;
  std::int64_t vocab = 0;
  std::int64_t stride = 0;
  TokenView targets;
  std::int64_t first_row = 0;
};

// For rows [begin, end) of the chunk, computes losses[r] = lse - logit[target] with lse =
// log(sum(exp(logit))), and replaces the logits by scale * d(losses[r] + z_loss * lse^2) / dlogits.
// scale is usually 1 / number of scored tokens. losses has the shape [rows]. A row takes two passes
// and one exp per logit.
void softmax_cross_entropy(const LogitChunk& chunk, std::int64_t begin, std::int64_t end,
                           float scale, float z_loss, double* losses);

// Computes the losses alone and leaves the logits as they are.
void cross_entropy(const LogitChunk& chunk, std::int64_t begin, std::int64_t end, double* losses);

}  // namespace stagedtrain::kernels
