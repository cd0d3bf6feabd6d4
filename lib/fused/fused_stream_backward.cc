// Computes the backward passes of norms before and after branches, and of the additions between
// them.
#include "fused/fused_stream_backward.h"

#include "fused/fused_boundary.h"
#include "kernels/bias.h"
#include "kernels/dropout.h"
#include "kernels/layer_norm.h"
#include "kernels/residual.h"
#include "kernels/rms_norm.h"

namespace stagedtrain::model {

void drop_backward(const Backward& b, const kernels::Dropout& dropout, bool bias, float* dbranch,
                   std::int64_t offset, const RowWork& rows) {
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    if (dbranch != a.dx) kernels::drop(dropout, a.dx, begin, end, width, dbranch);
    if (bias) kernels::bias_backward(dbranch, begin, end, width, b.sums(part, offset));
  });
}

namespace {

// The backward pass of a norm before a branch. branch holds the gradient of the norm's output, and
// dx that of the residual stream. dbranch becomes that of the branch that was added before the
// norm, or dx is it. The partial sums are those of the norm's weight, its bias, and the bias of the
// branch that was added before the norm, in this order.
struct NormStep {
  const NormActivations& norm;
  const float* gamma;
  float *dgamma, *dbeta, *dbranch_bias;  // null: not needed, or no branch was added
  float branch_scale = 1;                // of the branch that was added before the norm
  kernels::Dropout dropout = {};         // of that branch
  bool first = false;                    // whether dx is written or added to
  std::int64_t position = -1;            // of the norm, where a boundary may come before it
};

// Adds the gradient of the norm's input to dx.
void norm_backward(const Backward& b, const NormStep& step, float* dbias, const RowWork& rows) {
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    float* bias = dbias ? b.sums(part, 2 * width) : nullptr;
    if (b.s().layer_norms())
      kernels::layer_norm_backward(a.branch, step.norm.x, step.norm.mean, step.norm.rstd,
                                   step.gamma, begin, end, width, step.first, a.dx,
                                   {b.sums(part, 0), b.sums(part, width), bias}, b.run.norm_mean);
    else
      kernels::rms_norm_backward(a.branch, step.norm.x, step.norm.rstd, step.gamma, begin, end,
                                 width, step.first, a.dx, b.sums(part, 0), b.run.norm_mean);
  });
}
void norm_backward(const Backward& b, const NormStep& step, const RowWork& rows) {
  const bool later = b.run.dropout.active() || is_boundary(b.run, step.position);
  norm_backward(b, step, later ? nullptr : step.dbranch_bias, rows);
  boundary_backward(b, step.position, rows);
  if (later)
    drop_backward(b, step.dropout, step.dbranch_bias != nullptr, b.acts().dbranch, 2 * b.s().width,
                  rows);
}
void add_norm_sums(const Backward& b, const NormStep& step) {
  const std::int64_t width = b.s().width;
  b.add_sums(0, width, step.dgamma);
  b.add_sums(width, width, step.dbeta);
  b.add_sums(2 * width, width, step.dbranch_bias, step.branch_scale);
}

// The norm that follows block i: norm_1 of the next block, or the final norm. i = -1 stands for the
// embeddings.
NormStep norm_after(const Backward& b, std::int64_t i) {
  float* dbias = i < 0 ? nullptr : b.grads_of(i).mlp.down_bias;
  const float scale = i < 0 ? 1 : b.weights(i).branch_scale;
  const kernels::Dropout dropout =
      i < 0 ? b.run.dropout.of_embeddings() : b.run.dropout.of_feed_forward(b.weights(i).place);
  if (i + 1 == b.s().layers)
    return {b.acts().final_norm,
            b.run.weights.final_weight,
            b.grads.final_weight,
            b.grads.final_bias,
            dbias,
            scale,
            dropout,
            true,
            i + 1};
  return {b.acts(i + 1).norm_1,
          b.weights(i + 1).norm_1_weight,
          b.grads_of(i + 1).norm_1_weight,
          b.grads_of(i + 1).norm_1_bias,
          dbias,
          scale,
          dropout,
          false,
          i + 1};
}
NormStep second_norm(const Backward& b, std::int64_t i) {
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  return {b.acts(i).norm_2,
          w.norm_2_weight,
          g.norm_2_weight,
          g.norm_2_bias,
          g.output_bias,
          w.branch_scale,
          b.run.dropout.of_attention(w.place)};
}

// The backward pass of a norm after a branch: dbranch becomes the gradient of its input. Its weight
// has the second of the partial sums.
struct NormAfter {
  const NormActivations& norm;
  const float* gamma;
  float* dgamma;
  float scale;
  kernels::Dropout dropout;
};
void norm_backward(const Backward& b, const NormAfter& step, const RowWork& rows) {
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width;
  const kernels::Dropout& d = step.dropout;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    kernels::drop({d.key, d.probability, d.scale * step.scale}, a.dx, begin, end, width, a.dbranch);
    kernels::rms_norm_backward(a.dbranch, step.norm.x, step.norm.rstd, step.gamma, begin, end,
                               width, true, a.dbranch, b.sums(part, width), b.run.norm_mean);
  });
}
// Adds the gradient of what a branch without a norm before it has read.
void add_to_stream(const Backward& b, const RowWork& rows) {
  const FusedActivations& a = b.acts();
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::add_scaled(a.dx, a.branch, 1, begin, end, b.s().width, a.dx);
  });
}

}  // namespace

void enter_feed_forward(const Backward& b, std::int64_t i, const RowWork& rows) {
  if (!b.s().style.norms_after) return norm_backward(b, norm_after(b, i), rows);
  const FusedLayer& w = b.weights(i);
  if (i + 1 == b.s().layers)
    norm_backward(b, norm_after(b, i), nullptr, rows);
  else
    add_to_stream(b, rows);
  boundary_backward(b, i + 1, rows);
  norm_backward(b,
                NormAfter{b.acts(i).norm_2, w.norm_2_weight, b.grads_of(i).norm_2_weight,
                          w.branch_scale, b.run.dropout.of_feed_forward(w.place)},
                rows);
}
void add_feed_forward_sums(const Backward& b, std::int64_t i) {
  if (!b.s().style.norms_after) return add_norm_sums(b, norm_after(b, i));
  if (i + 1 == b.s().layers) b.add_sums(0, b.s().width, b.grads.final_weight);
  b.add_sums(b.s().width, b.s().width, b.grads_of(i).norm_2_weight);
}
void enter_attention(const Backward& b, std::int64_t i, const RowWork& rows) {
  if (!b.s().style.norms_after) return norm_backward(b, second_norm(b, i), rows);
  const FusedLayer& w = b.weights(i);
  add_to_stream(b, rows);
  norm_backward(b,
                NormAfter{b.acts(i).norm_1, w.norm_1_weight, b.grads_of(i).norm_1_weight,
                          w.branch_scale, b.run.dropout.of_attention(w.place)},
                rows);
}
void add_attention_sums(const Backward& b, std::int64_t i) {
  if (!b.s().style.norms_after) return add_norm_sums(b, second_norm(b, i));
  b.add_sums(b.s().width, b.s().width, b.grads_of(i).norm_1_weight);
}

void second_norm_backward(const Backward& b, std::int64_t i, const RowWork& rows) {
  norm_backward(b, second_norm(b, i), nullptr, rows);
}

void leave_blocks(const Backward& b, std::int64_t lowest, const RowWork& rows) {
  const bool after = b.s().style.norms_after, none_left = lowest == b.s().layers;
  if (!after || none_left) norm_backward(b, norm_after(b, lowest - 1), rows);
  if (!after) return;
  if (!none_left) {
    add_to_stream(b, rows);
    boundary_backward(b, lowest, rows);
  }
  drop_backward(b, b.run.dropout.of_embeddings(), false, b.acts().dbranch, 0, rows);
}
void add_last_sums(const Backward& b, std::int64_t lowest) {
  if (!b.s().style.norms_after || lowest == b.s().layers)
    add_norm_sums(b, norm_after(b, lowest - 1));
}

}  // namespace stagedtrain::model
