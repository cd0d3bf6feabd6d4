// How is a SentencePiece model stored in GGUF keys, for llama.cpp's tokenizer "llama"?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "modelfiles/gguf.h"

namespace stagedtrain::hub {

// Returns a SentencePiece model that merges the pieces of the keys by their scores, as llama.cpp
// does. Throws Error(input) that names the key, or if the library cannot read the model.
std::string read_gguf_pieces(const GgufKeys& keys);

// Adds the keys for a vocabulary of this many rows; rows without a piece become unused tokens.
// `notes` receives where llama.cpp encodes texts in another way. Throws Error(usage) for a model
// that llama.cpp cannot encode with: unigrams, words, characters, or pieces that lack bytes.
void add_gguf_pieces(GgufHeader& header, const std::string& model, std::int64_t vocab,
                     std::vector<std::string>& notes);

}  // namespace stagedtrain::hub
