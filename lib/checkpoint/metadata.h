// Converts a checkpoint's metadata to JSON and back: everything in a state except its tensors and
// tokenizer.
#pragma once

#include <string>
#include <string_view>

#include "checkpoint/checkpoint.h"
#include "text/sorted_json.h"

namespace stagedtrain::state {

// A checkpoint with more bytes of metadata is refused.
inline constexpr std::uint64_t kMostMetadata = 64 << 20;

// Returns the header as JSON in which every value reads back to the last bit. Integers are written
// in full, doubles in their shortest exact form, and "nan", "inf" and "-inf" as text. Text that is
// not UTF-8 becomes {"hex": "..."}. `histories` lists by name the tensors whose history is not the
// default. RunInfo::tokenizer is written as "bytes", "" or "dataset"; in the last case its bytes
// are stored beside the metadata.
Json metadata_json(const StateHeader& header);

// What was read back. The header's histories are left empty: reading them takes the table of
// tensors, which must not be built before the sizes are known to fit the file.
struct Metadata {
  StateHeader header;
  SortedJson histories;
  bool tokenizer_is_dataset = false;
};
// Throws Error(input) that names the key if the text is not JSON, a key is missing or unknown, a
// value has the wrong type or is out of range, or the architecture refuses the model. Messages do
// not name the file; the caller adds it.
Metadata parse_metadata(std::string_view text);
// Returns one history for each tensor. Throws Error(input) at an unknown name, at a value of the
// wrong kind, and at moments that were zeroed after the state's last step.
std::vector<TensorHistory> parse_histories(const SortedJson& json, const arch::ParamTable& table,
                                           std::int64_t step);

// Throws Error(input) at adapters that a model with this table cannot have.
void check_adapters(const StateHeader& header, const arch::ParamTable& table);

}  // namespace stagedtrain::state
