// Backpropagates along the residual stream: through norms, dropout and the additions of branches.
//
// dx is the gradient of the stream, branch that of what a branch has read (or of a norm's output),
// and dbranch that of what a branch added. Sums over rows, of biases and of the gains of norms, are
// partial sums of each part of the rows (kernels/partial_sums.h).
#pragma once

#include <cstring>

#include "fused/fused_passes.h"
#include "kernels/partial_sums.h"

namespace stagedtrain::model {

struct Backward {
  const FusedRun& run;
  const FusedTensors& grads;
  float scale, z_loss;

  const FusedSizes& s() const { return run.sizes; }
  const FusedActivations& acts() const { return run.acts; }
  const LayerActivations& acts(std::int64_t i) const { return acts_of(run, i); }
  const FusedLayer& weights(std::int64_t i) const { return weights_of(run, i); }
  const FusedLayer& grads_of(std::int64_t i) const {
    return grads.layers[static_cast<std::size_t>(i)];
  }

  // Partial sums of the current phase. Each part has a row of acts().sums.
  float* sums(std::int64_t part, std::int64_t offset) const {
    return acts().sums + part * acts().sums_stride + offset;
  }
  void clear_sums() const {
    const std::int64_t count = acts().plan.parts * acts().sums_stride;
    std::memset(acts().sums, 0, static_cast<std::size_t>(count) * sizeof(float));
  }
  // Adds the partial sums to `to`. Does nothing if `to` is null.
  void add_sums(std::int64_t offset, std::int64_t count, float* to, float scale = 1) const {
    if (to == nullptr) return;
    if (scale != 1)
      for (std::int64_t part = 0; part < acts().plan.parts; ++part)
        for (std::int64_t c = 0; c < count; ++c) sums(part, offset)[c] *= scale;
    kernels::add_partial_sums(acts().sums + offset, acts().plan.parts, acts().sums_stride, 0, count,
                              to);
  }
};

// Backpropagate, for some rows, from what read the output of block i's feed-forward to that
// output, and from the feed-forward to the output of the attention: dx and dbranch. The functions
// after them add the partial sums. They use sums from 0 to 3 * width.
void enter_feed_forward(const Backward& b, std::int64_t i, const RowWork& rows);
void add_feed_forward_sums(const Backward& b, std::int64_t i);
void enter_attention(const Backward& b, std::int64_t i, const RowWork& rows);
void add_attention_sums(const Backward& b, std::int64_t i);
// For parallel branches: adds the gradient from norm_2 to dx, and does nothing else. Its sums are
// added by add_attention_sums.
void second_norm_backward(const Backward& b, std::int64_t i, const RowWork& rows);
// Backpropagates from the lowest block that is needed to the residual stream before it: dx, and the
// gradient of what was embedded, dbranch.
void leave_blocks(const Backward& b, std::int64_t lowest, const RowWork& rows);
void add_last_sums(const Backward& b, std::int64_t lowest);
// Computes the gradient of a branch, dbranch, from dx. If bias is true, adds the partial sums of
// the bias at this offset.
void drop_backward(const Backward& b, const kernels::Dropout& dropout, bool bias, float* dbranch,
                   std::int64_t offset, const RowWork& rows);

}  // namespace stagedtrain::model
