// A model that reads a text token by token.
#pragma once

#include <memory>

#include "model/key_value_cache.h"
#include "model/model.h"

namespace stagedtrain::model {

class ReferenceModel;

// Reads on from where it is; what was read stays in a key-value cache, so that a token costs one
// pass over the weights however long the text is.
class Decoder {
 public:
  explicit Decoder(const ReferenceModel& model);
  // Reads int64 tokens [T], T >= 1, on the model's device, and returns the logits [last, V], in the
  // master type, behind the last so many of them. Requires length() + T <= context.
  at::Tensor read(const at::Tensor& tokens_T, std::int64_t last = 1);
  // Tokens read so far.
  std::int64_t length() const { return cache_.length(); }
  // Forgets the tokens from this place on. Requires length <= length().
  void go_back(std::int64_t length);

 private:
  const ReferenceModel& model_;
  KeyValueCache cache_;
};

// Null for fused CPU kernels, which always compute whole rows. The model must outlive it.
std::unique_ptr<Decoder> make_decoder(const Model& model);

}  // namespace stagedtrain::model
