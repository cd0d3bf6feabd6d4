// The tokenizer that a tokenizer.json describes: byte-level BPE.
#pragma once

#include <memory>
#include <string>

#include "data/tokenizer.h"

namespace stagedtrain::data {

// spec: a tokenizer.json. Throws Error(input), beginning with where, for what is not supported.
std::unique_ptr<const Tokenizer> make_bpe_tokenizer(const std::string& spec,
                                                    const std::string& where);

}  // namespace stagedtrain::data
