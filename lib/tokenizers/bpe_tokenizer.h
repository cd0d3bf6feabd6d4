// Makes the tokenizer that a tokenizer.json describes, if it is byte-level BPE.
#pragma once

#include <memory>
#include <string>

#include "tokenizers/tokenizer.h"

namespace stagedtrain::data {

// spec is the text of a tokenizer.json. Throws Error(input), with a message that starts with
// `where`, if it uses a feature that is not supported.
std::unique_ptr<const Tokenizer> make_bpe_tokenizer(const std::string& spec,
                                                    const std::string& where);

}  // namespace stagedtrain::data
