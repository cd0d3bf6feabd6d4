// Scoring a model on tasks with known answers, as lm-evaluation-harness counts them.
#pragma once

#include <cstdint>
#include <vector>

#include "data/tokenizer.h"
#include "eval/task_file.h"
#include "model/model.h"

namespace stagedtrain::eval {

// How many of the examples, as a share, and its standard error, sqrt(p (1 - p) / (n - 1)); NaN for
// one example.
struct Share {
  double value = 0, standard_error = 0;
};

struct TaskReport {
  std::int64_t choices = 0;  // multiple-choice examples; the shares are 0 where there is none
  Share accuracy;            // the continuation of the highest log-likelihood is gold ("acc")
  // The same by log-likelihood per character ("acc_norm") and per byte in UTF-8 ("acc_bytes") of the
  // continuation, without the one space before it.
  Share by_characters, by_bytes;
  std::int64_t last_words = 0;
  Share exact;            // every token of the continuation is the likeliest one
  double perplexity = 0;  // exp of minus the mean log-likelihood of a continuation
  double seconds = 0;
  // Nats, of every continuation of every example, in order.
  std::vector<std::vector<double>> log_likelihoods;
};

// Context and continuation are encoded as one text and cut where the tokens of the context alone
// end; of a text longer than the model's context the last part counts. Throws Error(input) naming
// the example that cannot be encoded or does not fit. Polls for a stop request.
TaskReport score_tasks(model::Model& model, const data::Tokenizer& tokenizer,
                       const std::vector<TaskExample>& examples);

}  // namespace stagedtrain::eval
