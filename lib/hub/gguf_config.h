// A model's keys in a GGUF, to and from a ModelConfig.
#pragma once

#include "hub/gguf.h"
#include "hub/hf_config.h"

namespace stagedtrain::hub {

// Reads gpt2, llama (with experts too), qwen2, qwen3, olmo2 and gptneox. Throws Error(input) that
// names the key.
// tied: whether the file has no output head of its own.
HubConfig read_gguf_config(const GgufKeys& keys, bool tied);
// general.* and the architecture's keys. Throws Error(usage) that names what GGUF cannot say.
void add_gguf_config(GgufHeader& header, const arch::ModelConfig& model, Element element,
                     const std::string& name);

}  // namespace stagedtrain::hub
