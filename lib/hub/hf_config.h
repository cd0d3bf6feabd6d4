// config.json of a Hugging Face folder, to and from a ModelConfig.
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "base/json.h"
#include "hub/element.h"
#include "base/strict_json.h"
#include "hub/tensor_names.h"

namespace stagedtrain::hub {

struct HubConfig {
  arch::ModelConfig model;  // resolved
  const NameTable* names = nullptr;
  std::vector<std::string> unknown_keys;  // that were not read; a caller may say so
};

// Reads the model types of hf_model_types(). Throws Error(input) that names where and the key: for a
// missing size, and for whatever would make the model compute something that ours does not
// (sliding windows, other rope types, other biases, quantised weights).
HubConfig read_hf_config(const SortedJson& json, const std::string& where);

// "gpt2, llama, ..."
std::string hf_model_types();

// Ids of special tokens; -1: unknown.
struct SpecialTokens {
  std::int64_t begin = -1, end = -1, pad = -1;
};
// Every field written out, since readers' defaults differ; rope both as transformers 5 and as other
// readers want it. Throws Error(usage) that names what the format cannot say.
Json hf_config(const arch::ModelConfig& model, Element element, const SpecialTokens& tokens);

}  // namespace stagedtrain::hub
