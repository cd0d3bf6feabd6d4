// Keys and values of the tokens that a model has read, so that the next token needs no others.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::model {

// For one row. Legend: G kv_heads, S tokens, D head_dim or value_dim. Keys are kept as they are after
// the rotation, so a token's place cannot change.
class KeyValueCache {
 public:
  explicit KeyValueCache(const arch::ModelConfig& config)
      : config_(config), layers_(static_cast<std::size_t>(config.layers)) {}
  // Tokens that all layers have read.
  std::int64_t length() const { return length_; }
  // Called once all layers have read so many more; or to forget those behind a place.
  void set_length(std::int64_t length) { length_ = length; }

  struct Seen {
    at::Tensor keys_GSD, values_GSD;  // those that were there, then the new ones
  };
  // What a layer has seen once it has read the new ones, each [G, T, D], at places length() and on.
  Seen append(std::size_t layer, const at::Tensor& keys_GTD, const at::Tensor& values_GTD);

 private:
  arch::ModelConfig config_;
  std::vector<Seen> layers_;  // with room for more tokens
  std::int64_t length_ = 0;
};

}  // namespace stagedtrain::model
