// The metadata of a checkpoint as JSON: everything of a state but its tensors and its tokenizer.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/sorted_json.h"
#include "state/checkpoint.h"

namespace stagedtrain::state {

// A checkpoint with more bytes of metadata is refused.
inline constexpr std::uint64_t kMostMetadata = 64 << 20;

// The header as JSON, every value so that it reads back to the last bit: whole numbers in full,
// doubles in their shortest exact form, "nan", "inf" and "-inf" as text, text that is not UTF-8 as
// {"hex": "..."}. histories lists by name the tensors that have one. RunInfo::tokenizer
// is written as "bytes", "" or "dataset" (its bytes are stored beside the metadata).
Json metadata_json(const StateHeader& header);

// What was read back. histories are left empty (its reader needs the table of tensors, which must
// not be built before sizes are known to fit the file).
struct Metadata {
  StateHeader header;
  SortedJson histories;
  bool tokenizer_is_dataset = false;
};
// Throws Error(input) that names the key: not JSON, a missing or unknown key, a wrong type, a value
// out of range, a model that its architecture refuses. No message says which file; the caller does.
Metadata parse_metadata(std::string_view text);
// One history per tensor. Throws Error(input) at an unknown name, a value of the wrong kind, or
// regions that do not cover their tensor once.
std::vector<TensorHistory> parse_histories(const SortedJson& json, const arch::ParamTable& table);

}  // namespace stagedtrain::state
