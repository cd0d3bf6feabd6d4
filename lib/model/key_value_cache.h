// Caches the keys and values of the tokens that a model has read, so that a new token does not
// recompute them.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "arch/loops.h"

namespace stagedtrain::model {

// A cache for one sequence. Shapes: G kv_heads, T new tokens, S all tokens, D head_dim or
// value_dim. Keys are stored after the rotary embedding, so a token's position cannot change.
class KeyValueCache {
 public:
  explicit KeyValueCache(const arch::ModelConfig& config)
      : config_(config), layers_(static_cast<std::size_t>(arch::executed_layers(config))) {}
  // The number of tokens that all layers have read.
  std::int64_t length() const { return length_; }
  // Call this after all layers have read new tokens, or to forget all tokens from `length` on.
  void set_length(std::int64_t length) { length_ = length; }

  struct Seen {
    at::Tensor keys_GSD, values_GSD;  // earlier tokens first, then the new ones
  };
  // Adds the keys and values [G, T, D] of T new tokens at positions length() and on. Returns all
  // that this layer has read. `layer` counts executed layers, because each run of a layer has keys
  // of its own. Requires length() + T <= context.
  Seen append(std::size_t layer, const at::Tensor& keys_GTD, const at::Tensor& values_GTD);

 private:
  arch::ModelConfig config_;
  std::vector<Seen> layers_;  // with capacity for more tokens
  std::int64_t length_ = 0;
};

}  // namespace stagedtrain::model
