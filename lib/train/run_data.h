// The token files of a run, opened and found fit before anything is trained.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/token_file.h"
#include "plan/run_plan.h"
#include "state/training_state.h"

namespace stagedtrain::train {

struct RunData {
  std::shared_ptr<const data::TokenFile> train, validation;
  std::string tokenizer;            // "bytes", a SentencePiece model's bytes, or "" if unknown
  std::string fingerprint;          // of the training tokens, hexadecimal
  double text_bytes_per_token = 0;  // of the validation text; 0 if unknown

  state::RunInfo info(const plan::RunPlan& plan) const;
};

// What a person should know of the two files: what one with little or no header was taken for, and
// why it may not be what it seems. A line each, with its path; none for files that say it all.
std::vector<std::string> notes_on(const RunData& data);

// Throws as plan::open_data does, and Error(input) at a file made with another tokenizer than the
// other, or with an id that the vocabulary of the model does not have.
RunData open_data(const plan::RunPlan& plan);

}  // namespace stagedtrain::train
