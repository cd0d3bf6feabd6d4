// How is a tokenizer stored in GGUF keys, and converted to the spec that checkpoints carry?
#pragma once

#include <string>
#include <vector>

#include "foreign/hf_config.h"
#include "foreign/parsed_tokenizer.h"
#include "modelfiles/gguf.h"

namespace stagedtrain::hub {

// Returns a tokenizer.json for byte-level BPE, a SentencePiece model for pieces with scores (ggml's
// tokenizer "llama"), "bytes" if the token of every id is the byte of that value, or "" if the file
// has no tokenizer. Throws Error(input) that names what is not supported.
std::string gguf_tokenizer(const GgufKeys& keys);
// Adds tokenizer.ggml.* for a vocabulary of this many rows; ids without a token become unused
// tokens. Without a tokenizer nothing is added. `notes` receives, in whole sentences,
// where llama.cpp encodes texts in another way. Throws Error(usage) if GGUF cannot express it.
void add_gguf_tokenizer(GgufHeader& header, const ParsedTokenizer& tokenizer, std::int64_t vocab,
                        std::vector<std::string>& notes);

}  // namespace stagedtrain::hub
