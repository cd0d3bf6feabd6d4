// Computes the forward pass of the fused model, and repeats parts of it for the backward pass.
//
// Attention is the only operation in which a row depends on other rows. So a phase runs from one
// attention to the next, and takes a chunk of rows through all of these steps while they are in the
// cache (row_work.h):
//   attended = attention(qkv)                                            [R, A]
//   norm_2.x = norm_1.x + attended W_output^T + bias                     [R, C]
//   norm_2.y = norm(norm_2.x)                                            [R, C]
//   up       = norm_2.y W_up^T + bias        hidden = activation(up)     [R, U], [R, F]
//   norm.x   = norm_2.x + hidden W_down^T + bias    (norm_1 of the next block, or the final norm)
//   qkv      = norm.y W_qkv^T + bias, then the rotary embedding          [R, Q]
//
// Residual additions are fused with the norm that follows. Therefore the stream between blocks is
// not stored by itself: it is the input x of a norm.
//
// Two kinds of blocks differ. Where norms follow the branches (OLMo 2), a branch reads the stream
// itself, and its norm comes before the addition. Where the branches are parallel (GPT-NeoX), both
// read norms of the same stream, and their outputs are added before they join it.
#include "fused/fused_activation_function.h"
#include "fused/fused_boundary.h"
#include "fused/fused_experts.h"
#include "fused/fused_passes.h"
#include "kernels/dropout.h"
#include "kernels/embedding.h"
#include "kernels/layer_norm.h"
#include "kernels/residual.h"
#include "kernels/rms_norm.h"
#include "kernels/softmax_cross_entropy.h"

namespace stagedtrain::model {
namespace {

Weight qkv_weight(const FusedRun& run, std::int64_t i, PhaseWeights& weights) {
  return weights.forward(weights_of(run, i).qkv_weight, run.sizes.width, run.sizes.qkv_width());
}
// Computes the queries, keys and values of layer i from the output of norm_1.
void project_qkv(const FusedRun& run, std::int64_t i, const Weight& weight, const RowWork& rows) {
  const LayerActivations& a = acts_of(run, i);
  rows.multiply(weight, a.norm_1.y, a.qkv, {.bias = weights_of(run, i).qkv_bias});
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    if (a.raw_qk) kernels::head_norm(run.head_norm(i), begin, end, a.qkv, a.raw_qk);
    if (run.rotation.cos) kernels::rotate(run.rotation, begin, end, false, a.qkv);
  });
}

// A norm and its parameters. Its input is the residual stream.
struct NextNorm {
  NormActivations norm;
  const float *gamma, *beta;
};
NextNorm norm_after(const FusedRun& run, std::int64_t i) {
  if (i + 1 == run.sizes.layers)
    return {run.acts.final_norm, run.weights.final_weight, run.weights.final_bias};
  const FusedLayer& w = weights_of(run, i + 1);
  return {acts_of(run, i + 1).norm_1, w.norm_1_weight, w.norm_1_bias};
}

NextNorm second_norm(const FusedRun& run, std::int64_t i) {
  const FusedLayer& w = weights_of(run, i);
  return {acts_of(run, i).norm_2, w.norm_2_weight, w.norm_2_bias};
}

// Computes rows [begin, end) of a norm from its input, and writes them to y.
void normalise(const FusedRun& run, const NextNorm& next, std::int64_t begin, std::int64_t end,
               float* y) {
  const FusedSizes& s = run.sizes;
  const NormActivations& n = next.norm;
  if (s.layer_norms())
    kernels::layer_norm(n.x, next.gamma, next.beta, s.eps, begin, end, s.width, y, n.mean, n.rstd,
                        run.norm_mean);
  else
    kernels::rms_norm(n.x, next.gamma, s.eps, begin, end, s.width, y, n.rstd, run.norm_mean);
}
void normalise(const FusedRun& run, const NextNorm& next, const RowWork& rows) {
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    normalise(run, next, begin, end, next.norm.y);
  });
}

// Whether what is written to the residual stream goes to a branch without a norm.
bool is_bare(const FusedRun& run, std::int64_t next) {
  return run.sizes.style.norms_after && next < run.sizes.layers;
}

void embed_rows(const FusedRun& run) {
  const FusedSizes& s = run.sizes;
  const NextNorm n = norm_after(run, -1);
  const bool bare = is_bare(run, 0);
  float *stream = bare ? n.norm.y : n.norm.x, *x = before_boundary(run, 0, stream);
  PhaseWeights weights(run.acts.plan);
  const Weight qkv = s.layers > 0 ? qkv_weight(run, 0, weights) : Weight{};
  weights.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::embed(run.inputs(), run.weights.token, run.weights.position, begin, end, s.width, x);
      if (run.dropout.active())
        kernels::drop(run.dropout.of_embeddings(), x, begin, end, s.width, x);
    });
    cross_boundary(run, 0, stream, rows);
    if (!bare) normalise(run, n, rows);
    if (s.layers > 0) project_qkv(run, 0, qkv, rows);
  });
}

void attend(const FusedRun& run, const LayerActivations& a) {
  const kernels::AttentionShape& shape = run.acts.attention;
  const std::int64_t group = shape.heads / shape.kv_heads;  // query heads that share a key head
  for_units(shape.backward_units(), [&](std::int64_t unit, std::int64_t worker) {
    kernels::attention_forward(shape, a.qkv, unit * group, (unit + 1) * group, a.attended, a.lse,
                               run.acts.scratch_of(worker));
  });
}

void drop(const FusedRun& run, const kernels::Dropout& dropout, float* branch,
          const RowWork& rows) {
  if (!run.dropout.active()) return;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::drop(dropout, branch, begin, end, run.sizes.width, branch);
  });
}

// Adds a branch and its bias (or null) to the residual stream x, and computes the norm of the sum.
void add_branch(const FusedRun& run, const float* x, const float* branch, const float* bias,
                const NextNorm& next, const RowWork& rows) {
  const FusedSizes& s = run.sizes;
  const NormActivations& n = next.norm;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    if (s.layer_norms())
      kernels::residual_layer_norm(x, branch, bias, next.gamma, next.beta, s.eps, begin, end,
                                   s.width, n.x, n.y, n.mean, n.rstd, run.norm_mean);
    else
      kernels::residual_rms_norm(x, branch, next.gamma, s.eps, begin, end, s.width, n.x, n.y,
                                 n.rstd, run.norm_mean);
  });
}

// Where norms follow the branches: normalises a branch, norm.x, and adds it to the residual stream.
void add_normed_branch(const FusedRun& run, const float* x, const NextNorm& norm, float* branch,
                       const kernels::Dropout& dropout, float scale, float* sum,
                       const RowWork& rows) {
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    normalise(run, norm, begin, end, branch);
  });
  drop(run, dropout, branch, rows);
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::add_scaled(x, branch, scale, begin, end, run.sizes.width, sum);
  });
}

// The bias of a branch joins the addition to the residual stream, which saves a pass over the
// branch, unless dropout or another branch comes between.
bool bias_joins_addition(const FusedRun& run) {
  return !run.dropout.active() && !run.sizes.style.parallel;
}
Finish end_of_branch(const FusedRun& run, const FusedLayer& w, const float* bias) {
  return {.scale = product_scale(run, w), .bias = bias_joins_addition(run) ? nullptr : bias};
}

// Computes the output of the attention of block i, and from there what the feed-forward reads.
// branch is a buffer; if branches are parallel, the output stays in it.
void end_attention(const FusedRun& run, std::int64_t i, const Weight& output, float* branch,
                   const RowWork& rows) {
  const FusedLayer& w = weights_of(run, i);
  const LayerActivations& a = acts_of(run, i);
  const kernels::Dropout dropout = run.dropout.of_attention(w.place);
  const bool after = run.sizes.style.norms_after;
  rows.multiply(output, a.attended, after ? a.norm_1.x : branch,
                end_of_branch(run, w, w.output_bias));
  if (after)
    return add_normed_branch(run, a.norm_1.y, {a.norm_1, w.norm_1_weight, w.norm_1_bias}, branch,
                             dropout, w.branch_scale, a.norm_2.y, rows);
  drop(run, dropout, branch, rows);
  if (run.sizes.style.parallel) return normalise(run, second_norm(run, i), rows);
  add_branch(run, a.norm_1.x, branch, bias_joins_addition(run) ? w.output_bias : nullptr,
             second_norm(run, i), rows);
}

// Where the feed-forward of block i writes its output.
float* fed_forward(const FusedRun& run, std::int64_t i) {
  if (run.sizes.style.norms_after) return acts_of(run, i).norm_2.x;
  return run.sizes.style.parallel ? run.acts.other : run.acts.branch;
}

// Adds the output of block i's feed-forward, and computes the norm that follows.
void end_feed_forward(const FusedRun& run, std::int64_t i, const RowWork& rows) {
  const FusedLayer& w = weights_of(run, i);
  const LayerActivations& a = acts_of(run, i);
  const NextNorm next = norm_after(run, i);
  float* branch = run.acts.branch;
  const kernels::Dropout dropout = run.dropout.of_feed_forward(w.place);
  if (run.sizes.style.norms_after) {
    const bool bare = is_bare(run, i + 1);
    float* stream = bare ? next.norm.y : next.norm.x;
    add_normed_branch(run, a.norm_2.y, second_norm(run, i), branch, dropout, w.branch_scale,
                      before_boundary(run, i + 1, stream), rows);
    cross_boundary(run, i + 1, stream, rows);
    if (!bare) normalise(run, next, rows);
    return;
  }
  drop(run, dropout, fed_forward(run, i), rows);
  if (run.sizes.style.parallel)
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::add_scaled(branch, run.acts.other, 1, begin, end, run.sizes.width, branch);
    });
  const float* x = run.sizes.style.parallel ? a.norm_1.x : a.norm_2.x;
  NextNorm sum = next;
  sum.norm.x = before_boundary(run, i + 1, next.norm.x);
  add_branch(run, x, branch, bias_joins_addition(run) ? w.mlp.down_bias : nullptr, sum, rows);
  if (!is_boundary(run, i + 1)) return;
  cross_boundary(run, i + 1, next.norm.x, rows);
  normalise(run, next, rows);
}

// Computes the rest of block i after its attention, and the next block's queries, keys and values.
void finish_block(const FusedRun& run, std::int64_t i) {
  const FusedSizes& s = run.sizes;
  const FusedLayer& w = weights_of(run, i);
  const LayerActivations& a = acts_of(run, i);
  const bool more = i + 1 < s.layers;
  PhaseWeights weights(run.acts.plan);
  const Weight output = weights.forward(w.output_weight, s.heads_width(), s.width);
  const Weight up = weights.forward(running_up_weight(run, w), s.width, w.up_width(s.gated()));
  const Weight down = weights.forward(w.mlp.down_weight, w.ffn, s.width, s.ffn);
  const Weight qkv = more ? qkv_weight(run, i + 1, weights) : Weight{};
  weights.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    end_attention(run, i, output, run.acts.branch, rows);
    project_up(run, up, a.norm_2.y, w.mlp.up_bias, w.ffn, a.up, rows);
    rows.multiply(down, run.acts.hidden, fed_forward(run, i),
                  end_of_branch(run, w, w.mlp.down_bias));
    end_feed_forward(run, i, rows);
    if (more) project_qkv(run, i + 1, qkv, rows);
  });
}

// From the attention of block i to the experts that its rows choose.
void route_block(const FusedRun& run, std::int64_t i, float* branch) {
  const FusedSizes& s = run.sizes;
  const FusedLayer& w = weights_of(run, i);
  PhaseWeights weights(run.acts.plan);
  const Weight output = weights.forward(w.output_weight, s.heads_width(), s.width);
  const Weight router = weights.forward(w.router, s.width, s.experts);
  weights.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    end_attention(run, i, output, branch, rows);
    route(run, i, router, rows);
  });
}

// Does the same as finish_block, for a block with experts.
void finish_block_of_experts(const FusedRun& run, std::int64_t i) {
  const bool more = i + 1 < run.sizes.layers;
  route_block(run, i, run.acts.branch);
  run_experts(run, i, false);
  PhaseWeights weights(run.acts.plan);
  const Weight qkv = more ? qkv_weight(run, i + 1, weights) : Weight{};
  weights.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    mix(run, i, rows, fed_forward(run, i));
    end_feed_forward(run, i, rows);
    if (more) project_qkv(run, i + 1, qkv, rows);
  });
}

// Computes the logits of rows [first, first + count), and then calls `then` on the same rows.
template <class Then>
void head(const FusedRun& run, std::int64_t first, std::int64_t count, float* logits,
          const Then& then) {
  const FusedSizes& s = run.sizes;
  const RowPlan plan = plan_rows(count, s.vocab * s.width, run.acts.plan.buffers);
  PhaseWeights weights(plan);
  const Weight head = weights.forward(run.weights.head, s.width, s.vocab);
  weights.pack();
  for_rows(plan, [&](const RowWork& rows) {
    rows.multiply(head, run.acts.final_norm.y + first * s.width, logits, {.scale = s.logit_scale});
    then(rows);
  });
}

}  // namespace

const float* running_up_weight(const FusedRun& run, const FusedLayer& layer) {
  const FusedSizes& s = run.sizes;
  if (!s.gated() || layer.ffn == s.ffn) return layer.mlp.up_weight;
  const float* gate = layer.mlp.up_weight;
  const std::int64_t count = layer.ffn * s.width;
  std::copy_n(gate, count, run.acts.joined_up);
  std::copy_n(gate + s.ffn * s.width, count, run.acts.joined_up + count);
  return run.acts.joined_up;
}

void forward_pass(const FusedRun& run) {
  const std::int64_t layers = run.sizes.layers;
  run.acquire(0);
  if (layers > 0) run.acquire(run.unit_of_block(0));
  embed_rows(run);
  run.release(0);
  std::fill_n(run.acts.choices, run.sizes.experts, 0);
  for (std::int64_t i = 0; i < layers; ++i) {
    attend(run, acts_of(run, i));
    if (i + 1 < layers) run.acquire(run.unit_of_block(i + 1));
    if (run.sizes.experts > 0)
      finish_block_of_experts(run, i);
    else
      finish_block(run, i);
    run.release(run.unit_of_block(i));
  }
}

void remake_norm_1(const FusedRun& run, std::int64_t i, const RowWork& rows) {
  if (!run.sizes.style.norms_after) normalise(run, norm_after(run, i - 1), rows);
}
void remake_norm_2(const FusedRun& run, std::int64_t i, const RowWork& rows) {
  if (!run.sizes.style.norms_after) normalise(run, second_norm(run, i), rows);
}

void remake_block(const FusedRun& run, std::int64_t i) {
  const FusedSizes& s = run.sizes;
  const FusedLayer& w = weights_of(run, i);
  const LayerActivations& a = acts_of(run, i);
  PhaseWeights to_heads(run.acts.plan);
  const Weight qkv = qkv_weight(run, i, to_heads);
  to_heads.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    remake_norm_1(run, i, rows);
    project_qkv(run, i, qkv, rows);
  });
  attend(run, a);
  if (s.experts > 0) {
    route_block(run, i, run.acts.spare);
    return run_experts(run, i, true);
  }
  PhaseWeights to_hidden(run.acts.plan);
  const Weight output = to_hidden.forward(w.output_weight, s.heads_width(), s.width);
  const Weight up = to_hidden.forward(running_up_weight(run, w), s.width, w.up_width(s.gated()));
  to_hidden.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    end_attention(run, i, output, run.acts.spare, rows);
    rows.multiply(up, a.norm_2.y, a.up, {.bias = w.mlp.up_bias});
  });
}

void write_logits(const FusedRun& run, float* logits) {
  run.acquire_head();
  head(run, 0, run.acts.rows, logits, [](const RowWork&) {});
  run.release_head();
}

void write_losses(const FusedRun& run) {
  const FusedActivations& a = run.acts;
  run.acquire_head();
  for (std::int64_t first = 0; first < a.rows; first += a.group) {
    const std::int64_t count = std::min(a.group, a.rows - first);
    const kernels::LogitChunk chunk{a.logits, run.sizes.vocab, run.sizes.vocab, run.targets(),
                                    first};
    head(run, first, count, a.logits, [&](const RowWork& rows) {
      rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
        kernels::cross_entropy(chunk, begin, end, a.losses + first);
      });
    });
  }
  run.release_head();
}

}  // namespace stagedtrain::model
