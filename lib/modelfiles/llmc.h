// How are llm.c's model files laid out? A header of 256 int32, then all tensors of one kind after
// another, without names.
#pragma once

#include <vector>

#include "arch/model_config.h"
#include "modelfiles/safetensors.h"
#include "modelfiles/stored_tensors.h"

namespace stagedtrain::hub {

struct LlmcModel {
  arch::ModelConfig model;  // resolved
  // Named as in llmc_names(). The padding rows of wte are left out.
  std::vector<StoredTensor> tensors;
};
// Reads versions 3 (float32) and 5 (bfloat16). Throws Error(input) unless the file has exactly the
// size that its header implies.
bool is_llmc(std::span<const std::byte> bytes);
LlmcModel read_llmc(const Path& path, const MappedFile& file);

// Returns the header, of version 3 or 5 depending on element. Throws Error(usage) if llm.c cannot
// represent the model: it must be a tied gpt2 with ffn 4 * width, head_dim width / heads and
// norm_eps 1e-5.
std::string llmc_header(const arch::ModelConfig& model, Element element);
// Returns the names of all tensors in the file's order.
std::vector<std::string> llmc_order(std::int64_t layers);
// Returns the number of embedding rows in a file: vocab rounded up to a multiple of 128.
std::int64_t llmc_padded_vocab(std::int64_t vocab);

}  // namespace stagedtrain::hub
