// The forward pass: for each block, rows up to attention, attention, rows after it.
#include "kernels/bias.h"
#include "kernels/embedding.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/softmax_cross_entropy.h"
#include "model/gpt2_passes.h"

namespace stagedtrain::model {
namespace {

// norm_1 of layer i is made; on to its queries, keys and values.
void project_qkv(const Gpt2Run& run, std::int64_t i, const RowWork& rows) {
  const Gpt2Layer& w = run.weights.layers[static_cast<std::size_t>(i)];
  const LayerActivations& a = run.acts.layers[static_cast<std::size_t>(i)];
  const std::int64_t qkv_width = run.sizes.qkv_width();
  rows.linear(a.norm_1.y, run.sizes.width, w.qkv_weight, qkv_width, a.qkv);
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::add_bias(w.qkv_bias, begin, end, qkv_width, a.qkv);
  });
}

void embed_rows(const Gpt2Run& run) {
  const std::int64_t width = run.sizes.width;
  const bool any = run.sizes.layers > 0;
  const NormActivations& norm = any ? run.acts.layers[0].norm_1 : run.acts.final_norm;
  const float* gamma = any ? run.weights.layers[0].norm_1_weight : run.weights.final_weight;
  const float* beta = any ? run.weights.layers[0].norm_1_bias : run.weights.final_bias;
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::embed(run.inputs(), run.weights.token, run.weights.position, begin, end, width,
                     norm.x);
      kernels::layer_norm(norm.x, gamma, beta, run.sizes.eps, begin, end, width, norm.y, norm.mean,
                          norm.rstd);
    });
    if (any) project_qkv(run, 0, rows);
  });
}

void attend(const Gpt2Run& run, const LayerActivations& a) {
  const kernels::AttentionShape& shape = run.acts.attention;
  const std::int64_t units = shape.forward_units();
  const std::int64_t parts = std::min(units, 8 * num_workers());
  for_units(parts, [&](std::int64_t i, std::int64_t worker) {
    const Range part = part_of(units, parts, 1, i);
    kernels::attention_forward(shape, a.qkv, part.begin, part.end, a.attended, a.lse,
                               run.acts.scratch + worker * run.acts.scratch_stride);
  });
}

// Norm (with its input, the residual stream) after a branch was added to x.
struct NextNorm {
  const NormActivations& norm;
  const float *gamma, *beta;
};
void add_branch(const Gpt2Run& run, const float* x, const float* bias, const NextNorm& next,
                const RowWork& rows) {
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::residual_layer_norm(x, run.acts.branch, bias, next.gamma, next.beta, run.sizes.eps,
                                 begin, end, run.sizes.width, next.norm.x, next.norm.y,
                                 next.norm.mean, next.norm.rstd);
  });
}

NextNorm norm_after(const Gpt2Run& run, std::int64_t i) {
  if (i + 1 == run.sizes.layers)
    return {run.acts.final_norm, run.weights.final_weight, run.weights.final_bias};
  const auto next = static_cast<std::size_t>(i + 1);
  return {run.acts.layers[next].norm_1, run.weights.layers[next].norm_1_weight,
          run.weights.layers[next].norm_1_bias};
}

// From attention's output to the next block's queries, keys and values.
void finish_block(const Gpt2Run& run, std::int64_t i, const RowWork& rows) {
  const Gpt2Sizes& s = run.sizes;
  const Gpt2Layer& w = run.weights.layers[static_cast<std::size_t>(i)];
  const LayerActivations& a = run.acts.layers[static_cast<std::size_t>(i)];
  rows.linear(a.attended, s.heads_width(), w.output_weight, s.width, run.acts.branch);
  add_branch(run, a.norm_1.x, w.output_bias, {a.norm_2, w.norm_2_weight, w.norm_2_bias}, rows);
  rows.linear(a.norm_2.y, s.width, w.up_weight, s.ffn, a.up);
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::bias_gelu(a.up, w.up_bias, begin, end, s.ffn, a.up, run.acts.hidden);
  });
  rows.linear(run.acts.hidden, s.ffn, w.down_weight, s.width, run.acts.branch);
  add_branch(run, a.norm_2.x, w.down_bias, norm_after(run, i), rows);
  if (i + 1 < s.layers) project_qkv(run, i + 1, rows);
}

}  // namespace

void forward_pass(const Gpt2Run& run) {
  embed_rows(run);
  for (std::int64_t i = 0; i < run.sizes.layers; ++i) {
    attend(run, run.acts.layers[static_cast<std::size_t>(i)]);
    for_rows(run.acts.plan, [&](const RowWork& rows) { finish_block(run, i, rows); });
  }
}

void write_logits(const Gpt2Run& run, float* logits) {
  for_rows(run.acts.plan, [&](const RowWork& rows) {
    rows.linear(run.acts.final_norm.y, run.sizes.width, run.weights.head, run.sizes.vocab, logits,
                run.sizes.logit_scale);
  });
}

void write_losses(const Gpt2Run& run) {
  const Gpt2Activations& a = run.acts;
  const Gpt2Sizes& s = run.sizes;
  for (std::int64_t first = 0; first < a.rows; first += a.group) {
    const std::int64_t count = std::min(a.group, a.rows - first);
    const kernels::LogitChunk chunk{a.logits, s.vocab, s.vocab, run.targets(), first};
    for_rows(plan_rows(count, s.vocab * s.width), [&](const RowWork& rows) {
      rows.linear(a.final_norm.y + first * s.width, s.width, run.weights.head, s.vocab, a.logits,
                  s.logit_scale);
      rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
        kernels::cross_entropy(chunk, begin, end, a.losses + first);
      });
    });
  }
}

}  // namespace stagedtrain::model
