// Scores a model on tasks with known answers, by the metrics of lm-evaluation-harness.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/evaluate.h"
#include "eval/task_file.h"
#include "model/model.h"
#include "tokenizers/tokenizer.h"

namespace stagedtrain::eval {

// A share of the examples and its standard error, sqrt(p (1 - p) / (n - 1)), which is NaN for one
// example.
struct Share {
  double value = 0, standard_error = 0;
};

struct TaskReport {
  std::int64_t choices = 0;  // multiple-choice examples; if there are none, the shares are 0
  Share accuracy;            // gold has the highest log-likelihood ("acc")
  // The same by log-likelihood per character ("acc_norm") and per UTF-8 byte ("acc_bytes") of the
  // continuation, not counting one leading space.
  Share by_characters, by_bytes;
  std::int64_t last_words = 0;
  Share exact;            // every token of the continuation is the likeliest one
  double perplexity = 0;  // exp of minus the mean log-likelihood of a continuation
  double seconds = 0;
  // Those of every continuation of every example, in order, in nats.
  std::vector<std::vector<double>> log_likelihoods;
};

// Context and continuation are encoded as one text. The continuation starts after as many tokens as
// the context alone has. Of a text that is longer than the model's context, only the end is used.
// Throws Error(input) that names an example that cannot be encoded or does not fit. Polls for a
// stop request. Several processes take blocks of examples in turns.
TaskReport score_tasks(model::Model& model, const data::Tokenizer& tokenizer,
                       const std::vector<TaskExample>& examples, const EvalShare& share = {});

}  // namespace stagedtrain::eval
