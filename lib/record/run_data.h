// Opens the token files of a run, and checks them before anything is trained.
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
  std::string fingerprint;          // identifies training and validation tokens, hexadecimal
  double text_bytes_per_token = 0;  // in the validation text; 0 if unknown

  std::uint32_t train_fingerprint = 0, validation_fingerprint = 0;

  state::RunInfo info(const plan::RunPlan& plan) const;
  // Throws Error(input) that names a file that has changed since it was opened. Cheap: compares
  // size, time and inode, and reads the file again only if they differ.
  void check_unchanged() const;
  // Throws Error(input) that names the file if a state was trained or evaluated on other tokens.
  // recorded is that state's fingerprint; older states have that of the training tokens only.
  void check_same(const std::string& recorded) const;
};

// Returns notes for the user on the two files, one line each, with its path: what a file with
// little or no header was taken for, and why that may be wrong. Returns nothing for files with a
// complete header.
std::vector<std::string> notes_on(const RunData& data);

// Throws as plan::open_data does, and Error(input) if the two files have different tokenizers, or
// if a file has an id outside the model's vocabulary.
RunData open_data(const plan::RunPlan& plan);

}  // namespace stagedtrain::train
