// How are rank files of the tiktoken library read? Byte-level BPE as lines of "base64(token) rank".
#pragma once

#include <string>
#include <string_view>

#include "tokenizers/tokenizer_json.h"

namespace stagedtrain::data {

// Returns whether the first line has that form.
bool is_rank_file(std::string_view text);

// A rank file contains neither the pattern that splits text into words nor the special tokens. Both
// are known for published vocabularies (GPT-2's r50k, cl100k, Llama 3, Qwen), which are recognised
// by their size; other sizes are refused. Throws Error(input), with a message that starts with
// `where`.
BpeDescription parse_rank_file(std::string_view text, const std::string& where);

}  // namespace stagedtrain::data
