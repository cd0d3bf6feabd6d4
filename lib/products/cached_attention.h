// Computes the attention of one new token on cached keys and values, in fp32.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// Query head h reads key head h / (heads / kv_heads). The keys of a key head are rows of head_dim
// floats, one for each token, and its values rows of value_dim; the rows of the next key head begin
// key_stride and value_stride floats later.
struct CachedAttention {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0, value_dim = 0;
  std::int64_t tokens = 0;       // cached, including the new one; at least 1
  float scale = 0;               // scales the scores
  const float* query = nullptr;  // [heads, head_dim]
  const float *keys = nullptr, *values = nullptr;
  std::int64_t key_stride = 0, value_stride = 0;
  float* out = nullptr;  // [heads, value_dim]
};

// Computes heads [begin, end) of out = softmax(scale * query keys^T) values. scratch holds `tokens`
// floats for each call. The result does not depend on how heads are divided.
void attend_cached(const CachedAttention& attention, std::int64_t begin, std::int64_t end,
                   float* scratch);

}  // namespace stagedtrain::kernels
