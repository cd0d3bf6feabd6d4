// Gives memory back to the system while its owner keeps the address, when the content is no longer
// needed.
#pragma once

#include <cstddef>

namespace stagedtrain {

// Gives the whole pages within this memory back to the system; they read as zero from then on, and
// cost nothing until they are written. What lies on pages at the two ends stays as it is.
void give_back(void* memory, std::size_t size);

}  // namespace stagedtrain
