// A model in a foreign format, opened and checked: its configuration, its tensors, its tokenizer.
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "hub/stored_tensors.h"
#include "hub/tensor_names.h"

namespace stagedtrain::hub {

struct OpenOptions {
  std::string tokenizer_file;  // replaces the model's own tokenizer; "" keeps that
  std::int64_t context = 0;    // a shorter longest sequence, for rotary positions; 0: the model's
};

struct ForeignModel {
  std::string format;       // "Hugging Face llama", "GGUF", "llm.c"
  arch::ModelConfig model;  // resolved
  const NameTable* names;
  StoredTensors tensors;
  std::string tokenizer;           // as checkpoints carry it; "" if it has none that is supported
  std::vector<std::string> notes;  // what a user should know, in whole sentences
};

// Whether a path is a folder with a config.json, or a file that begins as a GGUF or an llm.c model
// does; false if it is not there.
bool is_foreign_model(const Path& source);

// Opens a Hugging Face folder, a .gguf or an llm.c model, and checks that every tensor that the
// configuration needs is there with its shape, and that none is left over. Tensor values are not read.
// Throws Error(input), and for a pickle tells how to convert it; Error(usage) for a context that the
// model does not allow.
ForeignModel open_foreign_model(const Path& source, const OpenOptions& options = {});

}  // namespace stagedtrain::hub
