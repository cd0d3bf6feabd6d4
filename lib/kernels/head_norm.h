// Normalises queries and keys by root mean square, within each head or over all heads.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Rows of [rows, stride] begin with the queries of `heads` heads and the keys of `kv_heads` heads,
// each head_dim long. If `each` is true, every head is normalised by itself, and gains have the
// shape [head_dim]. Otherwise all queries are normalised together, and all keys: their gains have
// the shapes [heads * head_dim] and [kv_heads * head_dim].
struct HeadNorm {
  const float *query_gain = nullptr, *key_gain = nullptr;
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  std::int64_t stride = 0;
  bool each = false;
  float eps = 0;

  std::int64_t width() const { return (heads + kv_heads) * head_dim; }
};

// Normalises rows [begin, end) of qkv in place, after copying their queries and keys to raw [rows,
// width()], which the backward pass needs.
void head_norm(const HeadNorm& norm, std::int64_t begin, std::int64_t end, float* qkv, float* raw);

// Replaces the gradients of queries and keys in dqkv by those before the norm. Adds those of the
// gains to dquery_gain and dkey_gain, which are partial sums (partial_sums.h).
void head_norm_backward(const HeadNorm& norm, const float* raw, std::int64_t begin,
                        std::int64_t end, float* dqkv, float* dquery_gain, float* dkey_gain);

}  // namespace stagedtrain::kernels
