// Whether two things that carry a tokenizer (token files, checkpoints) carry the same one.
#pragma once

#include <string>

namespace stagedtrain::data {

// "bytes", "the SentencePiece model of 241,234 bytes with checksum 1a2b3c4d", or "not recorded".
// spec is what token files and checkpoints carry: see Tokenizer::from_spec.
std::string describe_tokenizer(const std::string& spec);

// A model that was trained on the ids of one tokenizer and is fed those of another gets a loss that
// looks like any other and means nothing. Throws Error(input), naming both tokenizers, if both are
// known and differ. Files without a header do not record theirs, so nothing can be said of them.
void require_same_tokenizer(const std::string& where, const std::string& spec,
                            const std::string& other_where, const std::string& other_spec);

}  // namespace stagedtrain::data
