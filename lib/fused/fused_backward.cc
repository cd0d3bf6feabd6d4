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
#include <algorithm>

#include "fused/fused_activation_function.h"
#include "fused/fused_experts.h"
#include "fused/fused_passes.h"
#include "fused/fused_stream_backward.h"
#include "kernels/bias.h"
#include "kernels/embedding.h"
#include "kernels/softmax_cross_entropy.h"

namespace stagedtrain::model {
namespace {

// Returns whether any gradient of a block is needed.
bool trains(const FusedLayer& grads) {
  const auto any = [](std::initializer_list<const float*> gradients) {
    return std::ranges::any_of(gradients, [](const float* g) { return g != nullptr; });
  };
  const auto feed_forward = [&](const FeedForwardTensors& g) {
    return any({g.up_weight, g.up_bias, g.down_weight, g.down_bias});
  };
  return any({grads.norm_1_weight, grads.norm_1_bias, grads.qkv_weight, grads.qkv_bias,
              grads.output_weight, grads.output_bias, grads.query_norm, grads.key_norm,
              grads.norm_2_weight, grads.norm_2_bias, grads.router}) ||
         feed_forward(grads.mlp) || std::ranges::any_of(grads.experts, feed_forward);
}

// Whether no block below runs the layer of block i once more.
bool runs_last(const Backward& b, std::int64_t i) {
  const auto& layers = b.run.weights.layers;
  return std::none_of(layers.begin(), layers.begin() + i,
                      [&](const FusedLayer& below) { return below.index == b.weights(i).index; });
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
    const RowPlan plan = plan_rows(count, vocab * width, a.plan.buffers);
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
    add_weight_gradients(a.plan.buffers,
                         {{count, a.logits, vocab, inputs, width, b.grads.head, logit_scale}});
  }
}

Weight output_weight(const Backward& b, std::int64_t i, PhaseWeights& weights) {
  return weights.backward(b.weights(i).output_weight, b.s().heads_width(), b.s().width);
}

// If branches are parallel: backpropagates through the last product of attention, which reads the
// same gradient of the residual stream as the feed-forward. The sums of its bias are the last.
void parallel_attention(const Backward& b, std::int64_t i, const Weight& output,
                        const RowWork& rows) {
  const FusedActivations& a = b.acts();
  const FusedLayer& w = b.weights(i);
  drop_backward(b, b.run.dropout.of_attention(w.place), b.grads_of(i).output_bias != nullptr,
                a.dattention, 3 * b.s().width + b.s().up_width(), rows);
  rows.multiply(output, a.dattention, a.dattended, {.scale = w.branch_scale});
}
void add_parallel_gradients(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  const std::int64_t width = b.s().width, heads = b.s().heads_width();
  b.add_sums(3 * width + b.s().up_width(), width, g.output_bias, w.branch_scale);
  add_weight_gradients(a.plan.buffers, {{a.rows, a.dattention, width, b.acts(i).attended, heads,
                                         g.output_weight, w.branch_scale}});
}

// Adds the products of the feed-forward's weights. Where only some hidden units run, the gradients
// of gate and up are not adjacent, and a row of down's is longer than the units that run.
void add_feed_forward_gradients(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  const std::int64_t width = b.s().width, ffn = b.s().ffn, up_width = w.up_width(b.s().gated());
  const bool split = b.s().gated() && w.ffn < ffn;
  const auto up = [&](std::int64_t first, std::int64_t units, float* dw) -> kernels::OuterProduct {
    return {a.rows, a.dup + first, units, b.acts(i).norm_2.y, width, dw, 1, up_width};
  };
  float* second = split && g.mlp.up_weight ? g.mlp.up_weight + ffn * width : nullptr;
  add_weight_gradients(a.plan.buffers, {up(0, split ? w.ffn : up_width, g.mlp.up_weight),
                                        up(w.ffn, w.ffn, second),
                                        {a.rows, a.dbranch, width, a.hidden, w.ffn,
                                         g.mlp.down_weight, product_scale(b.run, w), width, ffn}});
}

// Backpropagates through the norm after block i and the feed-forward, to the gradient of norm_2's
// output.
void feed_forward(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  const std::int64_t width = b.s().width, up_width = w.up_width(b.s().gated());
  const bool parallel = b.s().style.parallel;
  if (a.recompute == Recompute::blocks) remake_block(b.run, i);
  PhaseWeights weights(a.plan);
  const Weight down = weights.backward(w.mlp.down_weight, w.ffn, width, b.s().ffn);
  const Weight up = weights.backward(running_up_weight(b.run, w), width, up_width);
  const Weight output = parallel ? output_weight(b, i, weights) : Weight{};
  weights.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    enter_feed_forward(b, i, rows);
    rows.multiply(down, a.dbranch, a.dhidden, {.scale = product_scale(b.run, w)});
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
      activation_backward(b.run, b.acts(i).up, w.ffn, begin, end, b.sums(part, 3 * width));
    });
    if (parallel) parallel_attention(b, i, output, rows);
    rows.multiply(up, a.dup, a.branch);
    if (a.recompute == Recompute::norms) remake_norm_2(b.run, i, rows);
  });
  add_feed_forward_sums(b, i);
  b.add_sums(3 * width, up_width, g.mlp.up_bias);
  if (parallel) add_parallel_gradients(b, i);
  add_feed_forward_gradients(b, i);
}

// Does the same as feed_forward, for a block with experts.
void feed_forward_of_experts(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const bool parallel = b.s().style.parallel;
  if (a.recompute == Recompute::blocks) remake_block(b.run, i);
  PhaseWeights weights(a.plan);
  const Weight output = parallel ? output_weight(b, i, weights) : Weight{};
  weights.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    enter_feed_forward(b, i, rows);
    if (parallel) parallel_attention(b, i, output, rows);
    if (a.recompute == Recompute::norms) remake_norm_2(b.run, i, rows);
  });
  add_feed_forward_sums(b, i);
  if (parallel) add_parallel_gradients(b, i);
  const double rows = static_cast<double>(a.rows);
  const double loss_scale = static_cast<double>(b.scale) * rows;  // of a mean over rows
  experts_backward(b.run, b.grads_of(i),
                   static_cast<float>(static_cast<double>(b.s().router_loss) * loss_scale), i);
}

void attention_units(const Backward& b, const LayerActivations& layer) {
  const FusedActivations& a = b.acts();
  for_units(a.attention.backward_units(), [&](std::int64_t unit, std::int64_t worker) {
    kernels::attention_backward(a.attention, layer.qkv, layer.attended, layer.lse, a.dattended,
                                unit, unit + 1, a.dqkv, a.scratch_of(worker));
  });
}

// Backpropagates through norm_2 and the last product of the attention of block i. If branches are
// parallel, the latter is done, and dx is not needed any more as the gradient of the outputs.
void end_of_attention(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const bool parallel = b.s().style.parallel;
  PhaseWeights weights(a.plan);
  const Weight output = parallel ? Weight{} : output_weight(b, i, weights);
  weights.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    if (parallel) return second_norm_backward(b, i, rows);
    enter_attention(b, i, rows);
    rows.multiply(output, a.dbranch, a.dattended, {.scale = product_scale(b.run, b.weights(i))});
  });
  add_attention_sums(b, i);
}

// Backpropagates from the queries, keys and values of rows [begin, end) to the product that
// computed them. The partial sums are those of its bias, and of the weights of the norms of queries
// and keys.
void heads_backward(const Backward& b, std::int64_t i, std::int64_t begin, std::int64_t end,
                    std::int64_t part) {
  const FusedActivations& a = b.acts();
  const std::int64_t qkv = b.s().qkv_width();
  if (b.run.rotation.cos) kernels::rotate(b.run.rotation, begin, end, true, a.dqkv);
  if (b.acts(i).raw_qk)
    kernels::head_norm_backward(b.run.head_norm(i), b.acts(i).raw_qk, begin, end, a.dqkv,
                                b.sums(part, qkv), b.sums(part, qkv + b.s().heads_width()));
  if (b.grads_of(i).qkv_bias) kernels::bias_backward(a.dqkv, begin, end, qkv, b.sums(part, 0));
}
void add_head_sums(const Backward& b, std::int64_t i) {
  const FusedSizes& s = b.s();
  const FusedLayer& g = b.grads_of(i);
  const std::int64_t qkv = s.qkv_width();
  b.add_sums(0, qkv, g.qkv_bias);
  if (!s.head_norms()) return;
  const bool each = s.style.head_norms == arch::HeadNorms::each;
  b.add_sums(qkv, each ? s.head_dim : s.heads_width(), g.query_norm);
  b.add_sums(qkv + s.heads_width(), each ? s.head_dim : s.kv_heads * s.head_dim, g.key_norm);
}

// Backpropagates through norm_2 and the attention of block i, to the gradient of norm_1's output.
void attention(const Backward& b, std::int64_t i) {
  const FusedActivations& a = b.acts();
  const LayerActivations& layer = b.acts(i);
  const FusedLayer &w = b.weights(i), &g = b.grads_of(i);
  const std::int64_t width = b.s().width, heads = b.s().heads_width(), qkv = b.s().qkv_width();
  end_of_attention(b, i);
  attention_units(b, layer);
  PhaseWeights to_norm(a.plan);
  const Weight packed = to_norm.backward(w.qkv_weight, width, qkv);
  to_norm.pack();
  b.clear_sums();
  for_rows(a.plan, [&](const RowWork& rows) {
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
      heads_backward(b, i, begin, end, part);
    });
    rows.multiply(packed, a.dqkv, a.branch);
    if (a.recompute != Recompute::none) remake_norm_1(b.run, i, rows);
  });
  add_head_sums(b, i);
  add_weight_gradients(a.plan.buffers, {{a.rows, a.dqkv, qkv, layer.norm_1.y, width, g.qkv_weight},
                                        {a.rows, a.dbranch, width, layer.attended, heads,
                                         b.s().style.parallel ? nullptr : g.output_weight,
                                         product_scale(b.run, w)}});
}

// Adds the gradient of what was embedded to the gradients of the embeddings. One thread processes
// the tokens of a narrow model. For a wide one, all threads share them by columns.
void embedding(const Backward& b) {
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width;
  const std::int64_t parts = width >= 512 ? num_workers() : 1;
  for_units(parts + 1, [&](std::int64_t i, std::int64_t) {
    const Range columns = part_of(width, parts, 16, i);
    if (i < parts && b.grads.token)
      kernels::token_embedding_backward(b.run.inputs(), a.dbranch, a.rows, width, columns.begin,
                                        columns.end, b.grads.token);
    if (i == parts && b.grads.position)
      kernels::position_embedding_backward(a.dbranch, a.sequences, a.length, width, 0, a.length,
                                           b.grads.position);
  });
}

}  // namespace

void backward_pass(const FusedRun& run, const FusedTensors& grads, float gradient_scale,
                   float z_loss) {
  const Backward b{run, grads, gradient_scale, z_loss};
  run.acquire_head();
  classifier(b);
  run.release_head();
  if (run.progress && run.progress->unit_of_head() != 0)
    run.progress->gradient_is_complete(run.progress->unit_of_head());
  const std::int64_t lowest = lowest_block(b);
  for (std::int64_t i = run.sizes.layers - 1; i >= lowest; --i) {
    run.acquire(run.unit_of_block(i));
    if (run.sizes.experts > 0)
      feed_forward_of_experts(b, i);
    else
      feed_forward(b, i);
    attention(b, i);
    run.release(run.unit_of_block(i));
    if (run.progress && runs_last(b, i)) run.progress->gradient_is_complete(run.unit_of_block(i));
  }
  b.clear_sums();
  for_rows(run.acts.plan, [&](const RowWork& rows) { leave_blocks(b, lowest, rows); });
  add_last_sums(b, lowest);
  if (b.grads.token || b.grads.position) embedding(b);
  if (run.progress) run.progress->gradient_is_complete(0);
}

}  // namespace stagedtrain::model
