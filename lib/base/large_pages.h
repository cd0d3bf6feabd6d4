// Pages of 2 MiB for large memory that is read at places far apart.
#pragma once

#include <cstddef>

namespace stagedtrain {

// Asks for large pages wherever they fit whole; before the memory is first touched. Where the
// system has none, nothing happens.
void ask_for_large_pages(void* memory, std::size_t bytes);

}  // namespace stagedtrain
