// Reads a text token by token with a key-value cache.
#pragma once

#include <memory>

#include "model/key_value_cache.h"
#include "model/model.h"

namespace stagedtrain::model {

class ReferenceModel;

// Continues from the tokens that it has read. Their keys and values are cached, so a new token
// costs one pass over the weights, however long the text is.
class Decoder {
 public:
  explicit Decoder(const ReferenceModel& model);
  // Reads int64 tokens [T], T >= 1, on the model's device. Returns the logits [last, V] after each
  // of the last `last` tokens, in the master type. Requires last <= T and length() + T <= context.
  at::Tensor read(const at::Tensor& tokens_T, std::int64_t last = 1);
  // The number of tokens read so far.
  std::int64_t length() const { return cache_.length(); }
  // Forgets all tokens from this position on. Requires 0 <= length <= length().
  void go_back(std::int64_t length);

 private:
  const ReferenceModel& model_;
  KeyValueCache cache_;
};

// Returns null for the fused CPU kernels, which have no key-value cache, and for models with routed
// layers, whose layers would have caches of different lengths. The model must outlive the decoder.
std::unique_ptr<Decoder> make_decoder(const Model& model);

}  // namespace stagedtrain::model
