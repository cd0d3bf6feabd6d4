// A checkpoint's tokenizer on its way to other formats, parsed once: that takes as long as
// converting 100 MB of weights.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::hub {

struct ParsedTokenizer {
  // spec is what checkpoints carry; "" is no tokenizer. Throws Error(input) if it is none.
  ParsedTokenizer(const std::string& spec);  // NOLINT: a spec may be given where one is expected

  std::string spec;
  std::optional<data::BpeDescription> bpe;  // what a tokenizer.json describes
  std::int64_t vocab = 0;                   // all ids are below it; 0 without a tokenizer
};

}  // namespace stagedtrain::hub
