// How is a Hugging Face config.json converted to a ModelConfig and back?
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "foreign/tensor_names.h"
#include "modelfiles/element.h"
#include "text/json_fwd.h"

namespace stagedtrain::hub {

struct HubConfig {
  arch::ModelConfig model;  // resolved
  const NameTable* names = nullptr;
  std::vector<std::string> unknown_keys;  // keys that were not read; a caller may report them
};

// Reads the model types of hf_model_types(). Throws Error(input), naming `where` and the key, for a
// missing size and for everything that would make the model compute something that ours does not
// (sliding windows, other rope types, other biases, quantised weights).
HubConfig read_hf_config(const SortedJson& json, const std::string& where);

// Returns the supported model types, such as "gpt2, llama, ...".
std::string hf_model_types();

// Ids of special tokens; -1 if unknown.
struct SpecialTokens {
  std::int64_t begin = -1, end = -1, pad = -1;
};
// Writes every field, because readers' defaults differ, and the rope keys in both the form of
// transformers 5 and the older one. Throws Error(usage) that names what the format cannot express.
Json hf_config(const arch::ModelConfig& model, Element element, const SpecialTokens& tokens);

}  // namespace stagedtrain::hub
