// llm.c's model files: 256 int32 of header, then all tensors of one kind together, without names.
#pragma once

#include <vector>

#include "arch/model_config.h"
#include "hub/safetensors.h"
#include "hub/stored_tensors.h"

namespace stagedtrain::hub {

struct LlmcModel {
  arch::ModelConfig model;            // resolved
  std::vector<StoredTensor> tensors;  // named as llmc_names() does; padded rows of wte are left out
};
// Versions 3 (float32) and 5 (bfloat16). The file must have exactly the size that its header says.
// Throws Error(input).
bool is_llmc(std::span<const std::byte> bytes);
LlmcModel read_llmc(const Path& path, const MappedFile& file);

// The header of a file, version 3 or 5 by element. Throws Error(usage) for a model that llm.c does
// not have (anything but a tied gpt2 with ffn 4 * width).
std::string llmc_header(const arch::ModelConfig& model, Element element);
// The names of all tensors in the file's order.
std::vector<std::string> llmc_order(std::int64_t layers);
// The vocabulary that a file has rows for: the next multiple of 128.
std::int64_t llmc_padded_vocab(std::int64_t vocab);

}  // namespace stagedtrain::hub
