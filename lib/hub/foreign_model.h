// How is a model in a foreign format opened and checked? Its configuration, tensors and tokenizer.
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "foreign/tensor_names.h"
#include "modelfiles/stored_tensors.h"

namespace stagedtrain::hub {

struct OpenOptions {
  std::string tokenizer_file;  // replaces the model's own tokenizer; "": keep it
  std::int64_t context = 0;    // a shorter context, for rotary positions; 0: the model's
};

struct ForeignModel {
  std::string format;       // "Hugging Face llama", "GGUF" or "llm.c"
  arch::ModelConfig model;  // resolved
  const NameTable* names;
  StoredTensors tensors;
  std::string tokenizer;           // a spec for data::Tokenizer; "" if none is supported
  std::vector<std::string> notes;  // what the user should know, in whole sentences
};

// Returns whether a path is a folder with a config.json, or a file that begins like a GGUF or an
// llm.c model. Returns false if the path does not exist.
bool is_foreign_model(const Path& source);

// Opens a Hugging Face folder, a GGUF file or an llm.c model. Checks that every tensor that the
// configuration needs is present with its shape, and that no other tensor is. Does not read tensor
// values. Throws Error(input); for a pickle, the hint says how to convert it. Throws Error(usage)
// if the model does not allow the requested context.
ForeignModel open_foreign_model(const Path& source, const OpenOptions& options = {});

}  // namespace stagedtrain::hub
