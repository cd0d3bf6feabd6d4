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
#include "fused/fused_passes.h"
#include "kernels/embedding.h"
#include "kernels/layer_norm.h"
#include "kernels/rms_norm.h"
#include "kernels/softmax_cross_entropy.h"
#include "kernels/swiglu.h"

namespace stagedtrain::model {
namespace {

const FusedLayer& weights_of(const FusedRun& run, std::int64_t i) {
  return run.weights.layers[static_cast<std::size_t>(i)];
}
const LayerActivations& acts_of(const FusedRun& run, std::int64_t i) {
  return run.acts.layers[static_cast<std::size_t>(i)];
}

Weight qkv_weight(const FusedRun& run, std::int64_t i, PhaseWeights& weights) {
  return weights.forward(weights_of(run, i).qkv_weight, run.sizes.width, run.sizes.qkv_width());
}
// Computes the queries, keys and values of layer i from the output of norm_1.
void project_qkv(const FusedRun& run, std::int64_t i, const Weight& weight, const RowWork& rows) {
  const LayerActivations& a = acts_of(run, i);
  rows.multiply(weight, a.norm_1.y, a.qkv, {.bias = weights_of(run, i).qkv_bias});
  if (run.rotation.cos)
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::rotate(run.rotation, begin, end, false, a.qkv);
    });
}

// A norm and its parameters. Its input is the residual stream.
struct NextNorm {
  const NormActivations& norm;
  const float *gamma, *beta;
};
NextNorm norm_after(const FusedRun& run, std::int64_t i) {
  if (i + 1 == run.sizes.layers)
    return {run.acts.final_norm, run.weights.final_weight, run.weights.final_bias};
  const FusedLayer& w = weights_of(run, i + 1);
  return {acts_of(run, i + 1).norm_1, w.norm_1_weight, w.norm_1_bias};
}

// Computes rows [begin, end) of a norm from its input.
void normalise(const FusedRun& run, const NextNorm& next, std::int64_t begin, std::int64_t end) {
  const FusedSizes& s = run.sizes;
  const NormActivations& n = next.norm;
  if (s.form == BlockForm::llama)
    kernels::rms_norm(n.x, next.gamma, s.eps, begin, end, s.width, n.y, n.rstd);
  else
    kernels::layer_norm(n.x, next.gamma, next.beta, s.eps, begin, end, s.width, n.y, n.mean,
                        n.rstd);
}

void embed_rows(const FusedRun& run) {
  const FusedSizes& s = run.sizes;
  const NextNorm n = norm_after(run, -1);
  PhaseWeights weights(run.acts.plan);
  const Weight qkv = s.layers > 0 ? qkv_weight(run, 0, weights) : Weight{};
  weights.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::embed(run.inputs(), run.weights.token, run.weights.position, begin, end, s.width,
                     n.norm.x);
      normalise(run, n, begin, end);
    });
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

// Adds a branch and its bias to the residual stream x, and computes the norm of the sum.
void add_branch(const FusedRun& run, const float* x, const float* branch, const float* bias,
                const NextNorm& next, const RowWork& rows) {
  const FusedSizes& s = run.sizes;
  const NormActivations& n = next.norm;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    if (s.form == BlockForm::llama)
      kernels::residual_rms_norm(x, branch, next.gamma, s.eps, begin, end, s.width, n.x, n.y,
                                 n.rstd);
    else
      kernels::residual_layer_norm(x, branch, bias, next.gamma, next.beta, s.eps, begin, end,
                                   s.width, n.x, n.y, n.mean, n.rstd);
  });
}

// Computes the feed-forward's hidden units, both before (up) and after (hidden) the activation.
void project_up(const FusedRun& run, std::int64_t i, const Weight& up, const RowWork& rows) {
  const LayerActivations& a = acts_of(run, i);
  if (!run.sizes.gated())
    return rows.multiply(up, a.norm_2.y, a.up,
                         {.bias = weights_of(run, i).up_bias, .gelu = run.acts.hidden});
  rows.multiply(up, a.norm_2.y, a.up);
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::swiglu(a.up, begin, end, run.sizes.ffn, run.acts.hidden);
  });
}

// Computes the rest of block i after its attention, and the next block's queries, keys and values.
void finish_block(const FusedRun& run, std::int64_t i) {
  const FusedSizes& s = run.sizes;
  const FusedLayer& w = weights_of(run, i);
  const LayerActivations& a = acts_of(run, i);
  const bool more = i + 1 < s.layers;
  PhaseWeights weights(run.acts.plan);
  const Weight output = weights.forward(w.output_weight, s.heads_width(), s.width);
  const Weight up = weights.forward(w.up_weight, s.width, s.up_width());
  const Weight down = weights.forward(w.down_weight, s.ffn, s.width);
  const Weight qkv = more ? qkv_weight(run, i + 1, weights) : Weight{};
  weights.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    rows.multiply(output, a.attended, run.acts.branch, {.scale = w.branch_scale});
    add_branch(run, a.norm_1.x, run.acts.branch, w.output_bias,
               {a.norm_2, w.norm_2_weight, w.norm_2_bias}, rows);
    project_up(run, i, up, rows);
    rows.multiply(down, run.acts.hidden, run.acts.branch, {.scale = w.branch_scale});
    add_branch(run, a.norm_2.x, run.acts.branch, w.down_bias, norm_after(run, i), rows);
    if (more) project_qkv(run, i + 1, qkv, rows);
  });
}

// Recomputes the output of a norm.
void remake_norm(const FusedRun& run, const NextNorm& norm, const RowWork& rows) {
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    normalise(run, norm, begin, end);
  });
}

// Computes the logits of rows [first, first + count), and then calls `then` on the same rows.
template <class Then>
void head(const FusedRun& run, std::int64_t first, std::int64_t count, float* logits,
          const Then& then) {
  const FusedSizes& s = run.sizes;
  const RowPlan plan = plan_rows(count, s.vocab * s.width, run.acts.plan.room);
  PhaseWeights weights(plan);
  const Weight head = weights.forward(run.weights.head, s.width, s.vocab);
  weights.pack();
  for_rows(plan, [&](const RowWork& rows) {
    rows.multiply(head, run.acts.final_norm.y + first * s.width, logits, {.scale = s.logit_scale});
    then(rows);
  });
}

}  // namespace

void forward_pass(const FusedRun& run) {
  embed_rows(run);
  for (std::int64_t i = 0; i < run.sizes.layers; ++i) {
    attend(run, acts_of(run, i));
    finish_block(run, i);
  }
}

void remake_norm_1(const FusedRun& run, std::int64_t i, const RowWork& rows) {
  remake_norm(run, norm_after(run, i - 1), rows);
}
void remake_norm_2(const FusedRun& run, std::int64_t i, const RowWork& rows) {
  const FusedLayer& w = weights_of(run, i);
  remake_norm(run, {acts_of(run, i).norm_2, w.norm_2_weight, w.norm_2_bias}, rows);
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
  PhaseWeights to_hidden(run.acts.plan);
  const Weight output = to_hidden.forward(w.output_weight, s.heads_width(), s.width);
  const Weight up = to_hidden.forward(w.up_weight, s.width, s.up_width());
  to_hidden.pack();
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    rows.multiply(output, a.attended, run.acts.spare, {.scale = w.branch_scale});
    add_branch(run, a.norm_1.x, run.acts.spare, w.output_bias,
               {a.norm_2, w.norm_2_weight, w.norm_2_bias}, rows);
    rows.multiply(up, a.norm_2.y, a.up, {.bias = w.up_bias});
  });
}

void write_logits(const FusedRun& run, float* logits) {
  head(run, 0, run.acts.rows, logits, [](const RowWork&) {});
}

void write_losses(const FusedRun& run) {
  const FusedActivations& a = run.acts;
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
}

}  // namespace stagedtrain::model
