// Decodes with the reference model and its key-value cache.
#include "reference/decoder.h"

#include "base/error.h"
#include "reference/reference_model.h"

namespace stagedtrain::model {

Decoder::Decoder(const ReferenceModel& model) : model_(model), cache_(model.config()) {}

at::Tensor Decoder::read(const at::Tensor& tokens_T, std::int64_t last) {
  return model_.read(tokens_T, last, cache_);
}

void Decoder::go_back(std::int64_t length) {
  ST_CHECK(length >= 0 && length <= cache_.length(), "back to {} of {}", length, cache_.length());
  cache_.set_length(length);
}

std::unique_ptr<Decoder> make_decoder(const Model& model) {
  const auto* reference = dynamic_cast<const ReferenceModel*>(&model);
  if (!reference || arch::has_routed_layers(model.config())) return nullptr;
  return std::make_unique<Decoder>(*reference);
}

}  // namespace stagedtrain::model
