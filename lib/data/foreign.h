// Files of other kinds, told by their first bytes.
#pragma once

#include <cstddef>
#include <span>

namespace stagedtrain::data {

// "a Parquet file", or null where the first bytes are of no kind that is known here.
const char* foreign_name(std::span<const std::byte> bytes);

}  // namespace stagedtrain::data
