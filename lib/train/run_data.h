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
  std::string fingerprint;          // of the training and the validation tokens, hexadecimal
  double text_bytes_per_token = 0;  // of the validation text; 0 if unknown

  std::uint32_t train_fingerprint = 0, validation_fingerprint = 0;

  state::RunInfo info(const plan::RunPlan& plan) const;
  // Throws Error(input) that names the file if one is no longer what was opened. Cheap: asks for
  // size, time and inode, and reads the file again only where these differ.
  void check_unchanged() const;
  // Throws Error(input) that names the file if a state was trained on other tokens, or measured on
  // others. recorded: fingerprint of that run; older ones know the training tokens alone.
  void check_same(const std::string& recorded) const;
};

// What a person should know of the two files: what one with little or no header was taken for, and
// why it may not be what it seems. A line each, with its path; none for files that say it all.
std::vector<std::string> notes_on(const RunData& data);

// Throws as plan::open_data does, and Error(input) at a file made with another tokenizer than the
// other, or with an id that the vocabulary of the model does not have.
RunData open_data(const plan::RunPlan& plan);

}  // namespace stagedtrain::train
