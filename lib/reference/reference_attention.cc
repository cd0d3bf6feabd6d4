// Implements causal attention with grouped queries and rotary embedding in ATen operators.
#include "reference/reference_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "arch/architectures.h"
#include "arch/rotary.h"
#include "kernels/head_norm.h"
#include "kernels/rotary.h"
#include "model/few_rows.h"
#include "products/cached_attention.h"

namespace stagedtrain::model {
namespace {

constexpr std::int64_t kNumbersPerThread = 1 << 15;  // of the cache that are worth waking a thread

// Returns the rows of a rotary table for tokens from position `place` on, or at positions_BT.
at::Tensor rows_at(const at::Tensor& table, std::int64_t place, std::int64_t length,
                   const at::Tensor& positions_BT) {
  if (!positions_BT.defined()) return table.narrow(0, place, length);
  return table.index_select(0, positions_BT.flatten())
      .view({positions_BT.size(0), 1, positions_BT.size(1), table.size(1)});
}

// Rotates queries and keys, the first of which are at position `place` (or all at positions_BT). It
// computes in the tables' type, because in bfloat16 the rotation would lose most of its digits.
at::Tensor rotated(const at::Tensor& x_BHTD, const RotaryTables& tables, std::int64_t place,
                   const at::Tensor& positions_BT) {
  const std::int64_t length = x_BHTD.size(2), entries = tables.cos.size(1), half = entries / 2;
  const std::int64_t rest = x_BHTD.size(3) - entries;
  const at::Tensor x = x_BHTD.narrow(3, 0, entries).to(tables.cos.scalar_type());
  const at::Tensor turned = at::cat({-x.narrow(3, half, half), x.narrow(3, 0, half)}, 3);
  const at::Tensor y = (x * rows_at(tables.cos, place, length, positions_BT) +
                        turned * rows_at(tables.sin, place, length, positions_BT))
                           .to(x_BHTD.scalar_type());
  return rest == 0 ? y : at::cat({y, x_BHTD.narrow(3, entries, rest)}, 3);
}

// Normalizes the queries of all heads, and then the keys. With a norm for each head they stay in
// `wide`, so that they are rounded only once, after the rotation. (In bfloat16, this brings Qwen
// 3's gradients closer to the exact ones, but not OLMo 2's.)
at::Tensor normed(const at::Tensor& raw_BTX, const arch::ModelConfig& config,
                  const HeadNormGains& norms, at::ScalarType wide) {
  const bool each = arch::block_style(config).head_norms == arch::HeadNorms::each;
  const at::Tensor qk_BTX = each ? raw_BTX.to(wide) : raw_BTX;
  const auto part = [&](std::int64_t first, std::int64_t heads, const at::Tensor& gain) {
    const at::Tensor x_BTX = qk_BTX.narrow(2, first * config.head_dim, heads * config.head_dim);
    const at::Tensor x = each ? x_BTX.unflatten(2, {heads, config.head_dim}) : x_BTX;
    const at::Tensor y = rms_norm(x, gain.to(x.scalar_type()), config.norm_eps, wide);
    return each ? y.flatten(2, 3) : y;
  };
  const at::Tensor both = at::cat(
      {part(0, config.heads, norms.query), part(config.heads, config.kv_heads, norms.key)}, 2);
  return each ? both : both.to(raw_BTX.scalar_type());
}

// Repeats each of the kv_heads for every query head that reads it.
at::Tensor for_queries(const at::Tensor& x_BKTD, std::int64_t heads) {
  const std::int64_t groups = x_BKTD.size(1);
  if (groups == heads) return x_BKTD;
  return x_BKTD.unsqueeze(2)
      .expand({-1, -1, heads / groups, -1, -1})
      .reshape({x_BKTD.size(0), heads, x_BKTD.size(2), x_BKTD.size(3)});
}

// The heads of a packed projection, normalized and rotated. Shapes: H heads, K kv_heads.
struct Heads {
  at::Tensor query_BHTD, key_BKTD, value_BKTD;
};

Heads heads_of(const at::Tensor& qkv_BTX, const arch::ModelConfig& config,
               const RotaryTables& rotary, const HeadNormGains& norms, std::int64_t place,
               const at::Tensor& positions_BT = {}) {
  const std::int64_t rows = qkv_BTX.size(0), length = qkv_BTX.size(1);
  const std::int64_t heads = config.heads, groups = config.kv_heads;
  const auto by_head = [&](const at::Tensor& x, std::int64_t count, std::int64_t size) {
    return x.view({rows, length, count, size}).transpose(1, 2);
  };
  const std::int64_t turned = (heads + groups) * config.head_dim;
  at::Tensor turning = qkv_BTX.narrow(2, 0, turned);
  if (norms.query.defined()) turning = normed(turning, config, norms, rotary.cos.scalar_type());
  turning = by_head(turning, heads + groups, config.head_dim);
  if (rotary.cos.defined()) turning = rotated(turning, rotary, place, positions_BT);
  turning = turning.to(qkv_BTX.scalar_type());
  return {turning.narrow(1, 0, heads), turning.narrow(1, heads, groups),
          by_head(qkv_BTX.narrow(2, turned, groups * config.value_dim), groups, config.value_dim)};
}

// Rotates the packed queries and keys of one token in place, after their norms.
void place_heads(const at::Tensor& qkv_11X, const arch::ModelConfig& config,
                 const RotaryTables& rotary, const HeadNormGains& norms, std::int64_t place) {
  float* qkv = qkv_11X.mutable_data_ptr<float>();
  const std::int64_t turning = config.heads + config.kv_heads;
  if (norms.query.defined()) {
    const bool each = arch::block_style(config).head_norms == arch::HeadNorms::each;
    std::vector<float> raw(static_cast<std::size_t>(turning * config.head_dim));
    kernels::head_norm({norms.query.const_data_ptr<float>(), norms.key.const_data_ptr<float>(),
                        config.heads, config.kv_heads, config.head_dim, qkv_11X.numel(), each,
                        static_cast<float>(config.norm_eps)},
                       0, 1, qkv, raw.data());
  }
  if (!rotary.cos.defined()) return;
  const std::int64_t turned = rotary.cos.size(1);
  kernels::rotate({rotary.cos.const_data_ptr<float>() + place * turned,
                   rotary.sin.const_data_ptr<float>() + place * turned, 1, turning, config.head_dim,
                   turned, qkv_11X.numel()},
                  0, 1, false, qkv);
}

// Computes the attention of one new token in float32 on a CPU.
at::Tensor attend_one_here(const at::Tensor& qkv_11X, const arch::ModelConfig& config,
                           const RotaryTables& rotary, const HeadNormGains& norms,
                           std::size_t layer, KeyValueCache& cache) {
  const at::Tensor own_11X = qkv_11X.clone();
  place_heads(own_11X, config, rotary, norms, cache.length());
  const std::int64_t keys = config.heads * config.head_dim,
                     values = keys + config.kv_heads * config.head_dim;
  const auto part = [&](std::int64_t first, std::int64_t size) {
    return own_11X.view(-1)
        .narrow(0, first, config.kv_heads * size)
        .view({config.kv_heads, 1, size});
  };
  const KeyValueCache::Seen seen =
      cache.append(layer, part(keys, config.head_dim), part(values, config.value_dim));
  const at::Tensor y = at::empty({1, 1, config.heads * config.value_dim}, own_11X.options());
  kernels::CachedAttention attention{config.heads, config.kv_heads, config.head_dim,
                                     config.value_dim, seen.keys_GSD.size(1)};
  attention.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim)));
  attention.query = own_11X.const_data_ptr<float>();
  attention.keys = seen.keys_GSD.const_data_ptr<float>();
  attention.values = seen.values_GSD.const_data_ptr<float>();
  attention.key_stride = seen.keys_GSD.stride(0);
  attention.value_stride = seen.values_GSD.stride(0);
  attention.out = y.mutable_data_ptr<float>();
  const std::int64_t numbers = attention.tokens * (config.head_dim + config.value_dim);
  const std::int64_t heads_per_thread = std::max<std::int64_t>(1, kNumbersPerThread / numbers);
  at::parallel_for(0, config.heads, heads_per_thread, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch(static_cast<std::size_t>(attention.tokens));
    kernels::attend_cached(attention, begin, end, scratch.data());
  });
  return y;
}

// Computes the attention of one new token. The queries of a group form a matrix (G groups of R
// queries), so its keys are read once and never copied. Scores and softmax are in float32 or wider.
at::Tensor attend_one(const at::Tensor& query_H1D, const KeyValueCache::Seen& seen) {
  const at::ScalarType type = query_H1D.scalar_type();
  const at::ScalarType wide = type == at::kBFloat16 ? at::kFloat : type;
  const std::int64_t groups = seen.keys_GSD.size(0), dim = query_H1D.size(2);
  const at::Tensor query_GRD = query_H1D.reshape({groups, -1, dim});
  const at::Tensor scores_GRS = at::bmm(query_GRD, seen.keys_GSD.transpose(1, 2)).to(wide);
  const at::Tensor weights_GRS = at::softmax(scores_GRS / std::sqrt(static_cast<double>(dim)), 2);
  return at::bmm(weights_GRS.to(type), seen.values_GSD).reshape({query_H1D.size(0), 1, -1});
}

}  // namespace

RotaryTables::RotaryTables(const arch::ModelConfig& config, at::TensorOptions like) {
  const auto exact = like.dtype(at::kDouble);
  const at::Tensor frequencies =
      at::tensor(arch::rotary_frequencies(config), at::kDouble).to(like.device());
  const at::Tensor angles = at::outer(at::arange(config.context, exact), frequencies);
  const at::Tensor both = at::cat({angles, angles}, 1);
  const at::ScalarType type = c10::typeMetaToScalarType(like.dtype());
  cos = both.cos().to(type);
  sin = both.sin().to(type);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& gain, double eps, at::ScalarType wide) {
  const at::Tensor exact = x.to(wide);
  const at::Tensor scale = (exact.square().mean(-1, true) + eps).rsqrt();
  return (exact * scale).to(x.scalar_type()) * gain;
}

at::Tensor attend(const at::Tensor& qkv_BTX, const arch::ModelConfig& config,
                  const RotaryTables& rotary, const HeadNormGains& norms,
                  const at::Tensor& positions_BT) {
  const Heads x = heads_of(qkv_BTX, config, rotary, norms, 0, positions_BT);
  const at::Tensor y_BHTD = at::scaled_dot_product_attention(
      x.query_BHTD, for_queries(x.key_BKTD, config.heads), for_queries(x.value_BKTD, config.heads),
      {}, 0.0, true);
  return y_BHTD.transpose(1, 2).reshape(
      {qkv_BTX.size(0), qkv_BTX.size(1), config.heads * config.value_dim});
}

at::Tensor attend_on(const at::Tensor& qkv_1TX, const arch::ModelConfig& config,
                     const RotaryTables& rotary, const HeadNormGains& norms, std::size_t layer,
                     KeyValueCache& cache) {
  const std::int64_t place = cache.length(), length = qkv_1TX.size(1);
  if (length == 1 && has_few_rows(qkv_1TX))
    return attend_one_here(qkv_1TX, config, rotary, norms, layer, cache);
  const Heads x = heads_of(qkv_1TX, config, rotary, norms, place);
  const KeyValueCache::Seen seen = cache.append(layer, x.key_BKTD[0], x.value_BKTD[0]);
  if (length == 1)
    return attend_one(x.query_BHTD[0], seen).view({1, 1, config.heads * config.value_dim});
  // A new token attends to all cached tokens, and to the new ones up to itself.
  at::Tensor mask_TS;
  if (place > 0)
    mask_TS = at::ones({length, place + length}, qkv_1TX.options().dtype(at::kBool)).tril(place);
  const at::Tensor y_1HTD = at::scaled_dot_product_attention(
      x.query_BHTD, for_queries(seen.keys_GSD.unsqueeze(0), config.heads),
      for_queries(seen.values_GSD.unsqueeze(0), config.heads),
      place > 0 ? std::optional(mask_TS) : std::nullopt, 0.0, place == 0);
  return y_1HTD.transpose(1, 2).reshape({1, length, config.heads * config.value_dim});
}

}  // namespace stagedtrain::model
