// Which files hold a tokenizer in a Hugging Face folder?
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "foreign/hf_config.h"
#include "foreign/parsed_tokenizer.h"

namespace stagedtrain::hub {

struct HfTokenizer {
  std::vector<std::pair<std::string, std::string>> files;  // name, content
  SpecialTokens special;
};
// Without a tokenizer there are no files. context is the longest sequence, in tokens.
// The tokenizer "bytes" becomes a byte-level BPE without merges, whose ids are the bytes.
HfTokenizer hf_tokenizer(const ParsedTokenizer& tokenizer, std::int64_t context);

}  // namespace stagedtrain::hub
