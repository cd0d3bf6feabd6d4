// Which kind of non-token file is a file, by its first bytes?
#pragma once

#include <cstddef>
#include <span>

namespace stagedtrain::data {

// Returns, for instance, "a Parquet file", or null if the first bytes match no known kind.
const char* foreign_name(std::span<const std::byte> bytes);

}  // namespace stagedtrain::data
