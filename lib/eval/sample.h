// Generates text, one token after another.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/model.h"

namespace stagedtrain::eval {

struct SampleOptions {
  std::int64_t tokens = 200;  // how many to generate
  double temperature = 0.8;   // 0: always the likeliest token
  std::int64_t top_k = 0;     // sample among the k likeliest tokens; 0: among all
  std::uint64_t seed = 1;     // the same seed gives the same text on the same device
};

// Appends options.tokens ids to `prompt` and calls emit with each of them. prompt needs at least
// one id, and the model reads the last `context` ids. While the text fits into the context and the
// model has a decoder (reference/decoder.h), a token costs one pass over the weights. Otherwise the
// last `context` ids are read again for each token. Polls for a stop request.
void sample(model::Model& model, std::vector<std::int64_t> prompt, const SampleOptions& options,
            const std::function<void(std::int64_t)>& emit);

// Returns the token that a uniform number in [0, 1) selects. Ties go to the smaller id.
std::int64_t choose_token(const std::vector<double>& logits, const SampleOptions& options,
                          double uniform);

}  // namespace stagedtrain::eval
