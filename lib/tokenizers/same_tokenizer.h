// Do two token files or checkpoints carry the same tokenizer?
#pragma once

#include <string>

namespace stagedtrain::data {

// Returns, for instance, "bytes", "the SentencePiece model of 241,234 bytes with checksum
// 1a2b3c4d", or "not recorded". spec is what token files and checkpoints carry: see
// Tokenizer::from_spec.
std::string describe_tokenizer(const std::string& spec);

// A model that is fed the ids of a tokenizer other than its own has a loss that looks plausible but
// means nothing. Throws Error(input), which names both tokenizers, if both specs are known and
// differ. Files without a header do not record their tokenizer, so their spec is empty and they
// pass.
void require_same_tokenizer(const std::string& where, const std::string& spec,
                            const std::string& other_where, const std::string& other_spec);

}  // namespace stagedtrain::data
