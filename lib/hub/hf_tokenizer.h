// Which files hold a tokenizer in a Hugging Face folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hub/hf_config.h"

namespace stagedtrain::hub {

struct HfTokenizer {
  std::vector<std::pair<std::string, std::string>> files;  // name, content
  SpecialTokens special;
};
// spec is what checkpoints carry; "" gives no files. context is the longest sequence, in tokens.
// The tokenizer "bytes" becomes a byte-level BPE without merges, whose ids are the bytes.
HfTokenizer hf_tokenizer(const std::string& spec, std::int64_t context);

}  // namespace stagedtrain::hub
