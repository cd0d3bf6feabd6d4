// Scoring a model on a fixed set of windows.
#pragma once

#include <functional>
#include <vector>

#include "data/batch_stream.h"
#include "model/model.h"

namespace stagedtrain::eval {

// Losses in nats per token. The standard error is over windows, as if they were drawn at random;
// between two models on the same set the error of the difference is far smaller. One window says
// nothing about its error, which is then NaN (null in JSON), never 0.
struct EvalReport {
  double loss = 0, standard_error = 0;
  std::int64_t windows = 0, tokens = 0;
  double seconds = 0;

  double perplexity() const;
  // Bits per byte of text, where the tokens' size in text is known (0 otherwise).
  double bits_per_byte(double text_bytes_per_token) const;
};

// Which passes of an evaluation this process makes, of several that share it out; the result is the
// same to the bit in all of them, and the same as from one.
struct EvalShare {
  int rank = 0, ranks = 1;
  // Adds each number over all processes.
  std::function<void(std::vector<double>&)> sum;
};

// Runs `rows` windows at a time. Polls for a stop request, then throws Error(interrupted); the
// model is unchanged in any case.
EvalReport evaluate(model::Model& model, const data::EvaluationSet& set, std::int64_t rows,
                    const EvalShare& share = {});

}  // namespace stagedtrain::eval
