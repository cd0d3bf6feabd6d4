// Generating text, one token after another.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/model.h"

namespace stagedtrain::eval {

struct SampleOptions {
  std::int64_t tokens = 200;  // how many to add
  double temperature = 0.8;   // 0: always the likeliest token
  std::int64_t top_k = 0;     // only the k likeliest tokens; 0: all
  std::uint64_t seed = 1;     // the same seed gives the same text on one device
};

// Appends options.tokens ids to `prompt` (at least one id; the last context ids of it are read) and
// calls emit with each as it is chosen. While the text fits into the context, a token costs one pass
// over the weights, if the model can make a decoder (model/decoder.h); beyond it, and without one, the
// last context ids are read anew for each. Polls for a stop request.
void sample(model::Model& model, std::vector<std::int64_t> prompt, const SampleOptions& options,
            const std::function<void(std::int64_t)>& emit);

// The token chosen from logits with a uniform number in [0, 1). Ties go to the smaller id.
std::int64_t choose_token(const std::vector<double>& logits, const SampleOptions& options,
                          double uniform);

}  // namespace stagedtrain::eval
