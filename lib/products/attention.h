// Computes causal attention on packed queries, keys and values, forward and backward, in fp32.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// qkv has the shape [B, T, (H + 2 K) * head_dim]. A row holds H query heads, then K key heads, then
// K value heads, each head_dim long. K divides H, and query head h reads key head h / (H / K).
struct AttentionShape {
  std::int64_t sequences = 0;  // B
  std::int64_t length = 0;     // T
  std::int64_t heads = 0;      // H
  std::int64_t kv_heads = 0;   // K
  std::int64_t head_dim = 0;
  float scale = 0;  // scales the scores; positive, usually 1 / sqrt(head_dim)

  std::int64_t qkv_width() const { return (heads + 2 * kv_heads) * head_dim; }
  std::int64_t out_width() const { return heads * head_dim; }
  // The number of work units. Units write to disjoint memory, so threads can share them in any way.
  std::int64_t forward_units() const { return sequences * heads; }
  std::int64_t backward_units() const { return sequences * kv_heads; }
};

// The number of floats of scratch that one call needs. Each thread has its own buffer and can reuse
// it; its contents on entry do not matter. Any alignment is correct, and 64 bytes is fastest.
std::int64_t attention_forward_scratch(const AttentionShape& shape);
std::int64_t attention_backward_scratch(const AttentionShape& shape);

// Computes out = softmax(scale * Q K^T, causal) V for units [begin, end), where unit = sequence * H
// + head. out has the shape [B, T, H * head_dim]. Also writes lse[b, h, t], the log of the sum of
// exp of the scaled scores, of shape [B, H, T]. out and lse must not overlap any other array.
void attention_forward(const AttentionShape& shape, const float* qkv, std::int64_t begin,
                       std::int64_t end, float* out, float* lse, float* scratch);

// Computes dqkv, which has the shape of qkv, for units [begin, end), where unit = sequence * K +
// key head. A unit writes (does not add to) the gradients of its key head, its value head and all
// query heads that read them. out and lse are those of the forward call. dout has the shape [B, T,
// H * head_dim]. dqkv must not overlap any other array. The results of both directions do not
// depend on how units are split.
void attention_backward(const AttentionShape& shape, const float* qkv, const float* out,
                        const float* lse, const float* dout, std::int64_t begin, std::int64_t end,
                        float* dqkv, float* scratch);

}  // namespace stagedtrain::kernels
