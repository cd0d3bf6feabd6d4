// Causal attention on packed queries, keys and values, forward and backward, fp32.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// One row of qkv, per (sequence, position): H query heads, K key heads, K value heads, each
// head_dim long: [B, T, (H + 2 K) * head_dim]. K divides H; query head h reads key head h / (H /
// K).
struct AttentionShape {
  std::int64_t sequences = 0;  // B
  std::int64_t length = 0;     // T
  std::int64_t heads = 0;      // H
  std::int64_t kv_heads = 0;   // K
  std::int64_t head_dim = 0;
  float scale = 0;  // of the scores, positive: usually 1 / sqrt(head_dim)

  std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  std::int64_t out_width() const { return heads * head_dim; }
  // Units of work that never touch each other's results: split them over threads as you like.
  std::int64_t forward_units() const { return sequences * heads; }
  std::int64_t backward_units() const { return sequences * kv_heads; }
};

// Floats of scratch that one call in progress needs (one buffer per thread, reused; contents on
// entry do not matter). Any alignment is correct; 64 bytes is fastest.
std::int64_t attention_forward_scratch(const AttentionShape& shape);
std::int64_t attention_backward_scratch(const AttentionShape& shape);

// For units [begin, end) = sequence * H + head: out = softmax(scale * Q K^T, causal) V into
// out [B, T, H * head_dim], and lse[b, h, t] = log(sum of exp of the scaled scores), [B, H, T].
// out and lse overlap nothing else.
void attention_forward(const AttentionShape& shape, const float* qkv, std::int64_t begin,
                       std::int64_t end, float* out, float* lse, float* scratch);

// For units [begin, end) = sequence * K + key head: writes (does not add to) dqkv, shaped as qkv,
// for the key head, its value head and all query heads that read it. out, lse: as the forward left
// them. dout: [B, T, H * head_dim]. dqkv overlaps nothing else.
// Neither direction's result depends on how units are split.
void attention_backward(const AttentionShape& shape, const float* qkv, const float* out,
                        const float* lse, const float* dout, std::int64_t begin, std::int64_t end,
                        float* dqkv, float* scratch);

}  // namespace stagedtrain::kernels
