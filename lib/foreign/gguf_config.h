// How is a model's configuration stored in GGUF keys?
#pragma once

#include "foreign/hf_config.h"
#include "modelfiles/gguf.h"

namespace stagedtrain::hub {

// Reads gpt2, llama (also with experts), qwen2, qwen3, qwen3moe, olmo2, olmoe and gptneox. `tied`
// says that the file has no output head of its own. Throws Error(input) that names the key.
HubConfig read_gguf_config(const GgufKeys& keys, bool tied);
// Adds general.* and the architecture's keys. Throws Error(usage) that names what GGUF cannot
// express.
void add_gguf_config(GgufHeader& header, const arch::ModelConfig& model, Element element,
                     const std::string& name);

// Returns whether ggml takes the embedding as the head of a file that has none; in other
// architectures the head is always written.
bool gguf_ties_heads(const arch::ModelConfig& model);

}  // namespace stagedtrain::hub
