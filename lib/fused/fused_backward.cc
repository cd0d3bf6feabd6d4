// Computes the backward pass of the fused model, from the classifier down to the embeddings.
//
// For block i, with dx the gradient of the residual stream (names as in fused_forward.cc):
//   norm after block i:  dx += its gradient, from branch
//   feed-forward:        dhidden = dx W_down    dup = activation'(dhidden)    branch = dup W_up
//   norm_2:              dx += its gradient, from branch
//   attention:           dattended = dx W_output    dqkv = attention'(dattended)
//                        branch = dqkv W_qkv
// and for each weight, with y = x W^T, dW += dy^T x.
//
// A phase over rows computes gradients of activations: each row depends on its own row only.
// Between two such phases, a phase over weights adds the products dy^T x, which sum over all rows.
// Biases and gains of norms are also sums over rows: each part of the rows has partial sums of its
// own, which are added in a fixed order. So no gradient depends on the number of threads.
//
// A null pointer in grads means that a gradient is not needed. Its product is then skipped, and
// below the lowest block that needs one nothing is computed.
#include <cstring>

#include "fused/fused_passes.h"
#include "kernels/bias.h"
#include "kernels/embedding.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/partial_sums.h"
#include "kernels/rms_norm.h"
#include "kernels/softmax_cross_entropy.h"
#include "kernels/swiglu.h"

namespace stagedtrain::model {
namespace {

struct Backward {
  const FusedRun& run;
  const FusedTensors& grads;
  float scale, z_loss;

  const FusedSizes& s() const { return run.sizes; }
  const FusedActivations& acts() const { return run.acts; }
  const LayerActivations& acts(std::int64_t i) const {
    return run.acts.layers[static_cast<std::size_t>(i)];
  }
  const FusedLayer& weights(std::int64_t i) const {
    return run.weights.layers[static_cast<std::size_t>(i)];
  }
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

// The backward pass of a norm. branch holds the gradient of the norm's output, and dx that of the
// residual stream. The partial sums are those of the norm's weight, its bias, and the bias of the
// branch that was added before the norm, in this order.
struct NormStep {
  const NormActivations& norm;
  const float* gamma;
  float *dgamma, *dbeta, *dbranch_bias;  // null: not needed, or no branch was added
  float branch_scale = 1;                // of the branch that was added before the norm
  bool first = false;                    // whether dx is written or added to
};

void norm_backward(const Backward& b, const NormStep& step, const RowWork& rows) {
  const std::int64_t width = b.s().width;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    if (b.s().form == BlockForm::llama)
      return kernels::rms_norm_backward(b.acts().branch, step.norm.x, step.norm.rstd, step.gamma,
                                        begin, end, width, step.first, b.acts().dx,
                                        b.sums(part, 0));
    float* dbias = step.dbranch_bias ? b.sums(part, 2 * width) : nullptr;
    kernels::layer_norm_backward(b.acts().branch, step.norm.x, step.norm.mean, step.norm.rstd,
                                 step.gamma, begin, end, width, step.first, b.acts().dx,
                                 {b.sums(part, 0), b.sums(part, width), dbias});
  });
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
  float* dbias = i < 0 ? nullptr : b.grads_of(i).down_bias;
  const float scale = i < 0 ? 1 : b.weights(i).branch_scale;
  if (i + 1 == b.s().layers)
    return {b.acts().final_norm,
            b.run.weights.final_weight,
            b.grads.final_weight,
            b.grads.final_bias,
            dbias,
            scale,
            true};
  return {b.acts(i + 1).norm_1,
          b.weights(i + 1).norm_1_weight,
          b.grads_of(i + 1).norm_1_weight,
          b.grads_of(i + 1).norm_1_bias,
          dbias,
          scale};
}
NormStep second_norm(const Backward& b, std::int64_t i) {
  return {b.acts(i).norm_2,          b.weights(i).norm_2_weight, b.grads_of(i).norm_2_weight,
          b.grads_of(i).norm_2_bias, b.grads_of(i).output_bias,  b.weights(i).branch_scale};
}

// Returns whether any gradient of a block is needed.
bool trains(const FusedLayer& grads) {
  for (const float* gradient :
       {grads.norm_1_weight, grads.norm_1_bias, grads.qkv_weight, grads.qkv_bias,
        grads.output_weight, grads.output_bias, grads.norm_2_weight, grads.norm_2_bias,
        grads.up_weight, grads.up_bias, grads.down_weight, grads.down_bias})
    if (gradient) return true;
  return false;
}

// The block at which the backward pass ends, because no gradient below it is needed.
std::int64_t lowest_block(const Backward& b) {
  if (b.grads.token || b.grads.position) return 0;
  std::int64_t lowest = 0;
  while (lowest < b.s().layers && !trains(b.grads_of(lowest))) ++lowest;
  return lowest;
}

// Computes logits, losses and their gradient, and the gradient of the final norm's output (in
// branch).
void classifier(const Backward& b) {
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width, vocab = b.s().vocab;
  const float logit_scale = b.s().logit_scale;
  for (std::int64_t first = 0; first < a.rows; first += a.group) {
    const std::int64_t count = std::min(a.group, a.rows - first);
    const kernels::LogitChunk chunk{a.logits, vocab, vocab, b.run.targets(), first};
    const float* inputs = a.final_norm.y + first * width;
    const RowPlan plan = plan_rows(count, vocab * width, a.plan.room);
    PhaseWeights weights(plan);
    const Weight head = weights.forward(b.run.weights.head, width, vocab);
    const Weight head_back = weights.backward(b.run.weights.head, width, vocab);
    weights.pack();
    for_rows(plan, [&](const RowWork& rows) {
      rows.multiply(head, inputs, a.logits, {.scale = logit_scale});
      rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
        kernels::softmax_cross_entropy(chunk, begin, end, b.scale, b.z_loss, a.losses + first);
      });
      rows.multiply(head_back, a.logits, a.branch + first * width, {.scale = logit_scale});
    });
    add_weight_gradients(a.plan.room,
                         {{count, a.logits, vocab, inputs, width, b.grads.head, logit_scale}});
  }
}

// Computes dup from dhidden, and recomputes the hidden units.
void activation(const Backward& b, std::int64_t i, const RowWork& rows) {
  const FusedActivations& a = b.acts();
  const std::int64_t ffn = b.s().ffn;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    if (b.s().gated())
      kernels::swiglu_backward(a.dhidden, b.acts(i).up, begin, end, ffn, a.dup, a.hidden);
    else
      kernels::gelu_backward(a.dhidden, b.acts(i).up, begin, end, ffn, a.dup,
                             b.sums(part, 3 * b.s().width), a.hidden);
  });
}

// Backpropagates through the norm after block i and the feed-forward, to the gradient of norm_2's
// output.
void feed_forward(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  const std::int64_t width = b.s().width, ffn = b.s().ffn, up_width = b.s().up_width();
  const NormStep norm = norm_after(b, i);
  if (a.recompute == Recompute::blocks) remake_block(b.run, i);
  PhaseWeights weights(a.plan);
  const Weight down = weights.backward(w.down_weight, ffn, width);
  const Weight up = weights.backward(w.up_weight, width, up_width);
  weights.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    norm_backward(b, norm, rows);
    rows.multiply(down, a.dx, a.dhidden, {.scale = w.branch_scale});
    activation(b, i, rows);
    rows.multiply(up, a.dup, a.branch);
    if (a.recompute == Recompute::norms) remake_norm_2(b.run, i, rows);
  });
  add_norm_sums(b, norm);
  b.add_sums(3 * width, up_width, g.up_bias);
  add_weight_gradients(a.plan.room,
                       {{a.rows, a.dup, up_width, b.acts(i).norm_2.y, width, g.up_weight},
                        {a.rows, a.dx, width, a.hidden, ffn, g.down_weight, w.branch_scale}});
}

void attention_units(const Backward& b, const LayerActivations& layer) {
  const FusedActivations& a = b.acts();
  for_units(a.attention.backward_units(), [&](std::int64_t unit, std::int64_t worker) {
    kernels::attention_backward(a.attention, layer.qkv, layer.attended, layer.lse, a.dattended,
                                unit, unit + 1, a.dqkv, a.scratch_of(worker));
  });
}

// Backpropagates through norm_2 and the attention of block i, to the gradient of norm_1's output.
void attention(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const LayerActivations& layer = b.acts(i);
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  const std::int64_t width = b.s().width, heads = b.s().heads_width(), qkv = b.s().qkv_width();
  const NormStep norm = second_norm(b, i);
  PhaseWeights to_heads(a.plan);
  const Weight output = to_heads.backward(w.output_weight, heads, width);
  to_heads.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    norm_backward(b, norm, rows);
    rows.multiply(output, a.dx, a.dattended, {.scale = w.branch_scale});
  });
  add_norm_sums(b, norm);
  attention_units(b, layer);
  PhaseWeights to_norm(a.plan);
  const Weight packed = to_norm.backward(w.qkv_weight, width, qkv);
  to_norm.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
      if (b.run.rotation.cos) kernels::rotate(b.run.rotation, begin, end, true, a.dqkv);
      if (g.qkv_bias) kernels::bias_backward(a.dqkv, begin, end, qkv, b.sums(part, 0));
    });
    rows.multiply(packed, a.dqkv, a.branch);
    if (a.recompute != Recompute::none) remake_norm_1(b.run, i, rows);
  });
  b.add_sums(0, qkv, g.qkv_bias);
  add_weight_gradients(
      a.plan.room, {{a.rows, a.dqkv, qkv, layer.norm_1.y, width, g.qkv_weight},
                    {a.rows, a.dx, width, layer.attended, heads, g.output_weight, w.branch_scale}});
}

// Adds dx to the gradients of the embeddings. One thread processes the tokens of a narrow model.
// For a wide one, all threads share them by columns.
void embedding(const Backward& b) {
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width;
  const std::int64_t parts = width >= 512 ? num_workers() : 1;
  for_units(parts + 1, [&](std::int64_t i, std::int64_t) {
    const Range columns = part_of(width, parts, 16, i);
    if (i < parts && b.grads.token)
      kernels::token_embedding_backward(b.run.inputs(), a.dx, a.rows, width, columns.begin,
                                        columns.end, b.grads.token);
    if (i == parts && b.grads.position)
      kernels::position_embedding_backward(a.dx, a.sequences, a.length, width, 0, a.length,
                                           b.grads.position);
  });
}

}  // namespace

void backward_pass(const FusedRun& run, const FusedTensors& grads, float gradient_scale,
                   float z_loss) {
  const Backward b{run, grads, gradient_scale, z_loss};
  classifier(b);
  const std::int64_t lowest = lowest_block(b);
  for (std::int64_t i = run.sizes.layers - 1; i >= lowest; --i) {
    feed_forward(b, i);
    attention(b, i);
  }
  const NormStep norm = norm_after(b, lowest - 1);
  b.clear_sums();
  for_rows(run.acts.plan, [&](const RowWork& rows) { norm_backward(b, norm, rows); });
  add_norm_sums(b, norm);
  if (b.grads.token || b.grads.position) embedding(b);
}

}  // namespace stagedtrain::model
