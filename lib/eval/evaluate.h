// Scores a model on a fixed set of windows.
#pragma once

#include <functional>
#include <vector>

#include "data/batch_stream.h"
#include "model/model.h"

namespace stagedtrain::eval {

// Losses are in nats per token. The standard error treats the windows as a random sample; the error
// of a difference between two models on the same windows is far smaller. With a single window the
// standard error is NaN (null in JSON).
struct EvalReport {
  double loss = 0, standard_error = 0;
  std::int64_t windows = 0, tokens = 0;
  double seconds = 0;

  double perplexity() const;
  // Bits per byte of text, or 0 if the size of the text is unknown.
  double bits_per_byte(double text_bytes_per_token) const;
};

// Says which of an evaluation's passes this process makes if several share it. All of them
// get the same result as a single process would, to the bit.
struct EvalShare {
  int rank = 0, ranks = 1;
  // Adds each number over all processes.
  std::function<void(std::vector<double>&)> sum;
};

// Scores `rows` windows at a time. Polls for a stop request and then throws Error(interrupted). The
// model does not change.
EvalReport evaluate(model::Model& model, const data::EvaluationSet& set, std::int64_t rows,
                    const EvalShare& share = {});

}  // namespace stagedtrain::eval
