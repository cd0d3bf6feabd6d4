// Whether all numbers of a tensor are finite, in one pass as fast as memory delivers them. A state
// with a NaN or an infinity in it cannot be trained on, so it is neither written nor loaded.
#pragma once

#include <cstddef>
#include <span>

#include "state/host_tensor.h"

namespace stagedtrain::state {

// Requires a whole number of elements; any alignment.
bool all_finite(std::span<const std::byte> elements, DType dtype);

}  // namespace stagedtrain::state
