// The files that hold a tokenizer in a Hugging Face folder.
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
// spec: as checkpoints carry it; "" gives no files. context: the longest text, in tokens. Bytes
// become a byte-level BPE without merges, whose ids are the bytes.
HfTokenizer hf_tokenizer(const std::string& spec, std::int64_t context);

}  // namespace stagedtrain::hub
