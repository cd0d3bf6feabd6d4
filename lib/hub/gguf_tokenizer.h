// The tokenizer in a GGUF's keys, to and from the form that checkpoints carry.
#pragma once

#include <string>

#include "hub/gguf.h"
#include "hub/hf_config.h"

namespace stagedtrain::hub {

// A tokenizer.json made from the keys (byte-level BPE), "bytes" where every id is its byte, or "" if
// the file has no tokenizer. Throws
// Error(input) that names what is not supported.
std::string gguf_tokenizer(const GgufKeys& keys);
// Adds tokenizer.ggml.* for a vocabulary of so many rows; ids without a token become unused ones.
// spec: as checkpoints carry it; "" adds nothing. Throws Error(usage) for one that GGUF cannot say.
void add_gguf_tokenizer(GgufHeader& header, const std::string& spec, std::int64_t vocab);

}  // namespace stagedtrain::hub
