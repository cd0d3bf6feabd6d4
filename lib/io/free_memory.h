// How much memory can this machine still give?
#pragma once

#include <cstdint>

namespace stagedtrain {

// Returns the bytes that are available without swapping, or a very large number if that is unknown.
std::uint64_t free_memory();

}  // namespace stagedtrain
