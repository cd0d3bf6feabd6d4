// The rank files of the tiktoken library: byte-level BPE as lines of "base64(token) rank".
#pragma once

#include <string>
#include <string_view>

#include "data/tokenizer_json.h"

namespace stagedtrain::data {

// Whether the first line is such a one.
bool is_rank_file(std::string_view text);

// The file names neither the pattern that cuts text into words nor special tokens; both are known
// for the sizes of published vocabularies (GPT-2's r50k, cl100k, Llama 3, Qwen), and others are
// refused. Throws Error(input), beginning with where and the line.
BpeDescription parse_rank_file(std::string_view text, const std::string& where);

}  // namespace stagedtrain::data
