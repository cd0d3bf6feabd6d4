// Checks whether all values of a tensor are finite, at the speed of memory. A state with a NaN or
// an infinity cannot be trained on, so it is neither written nor loaded.
#pragma once

#include <cstddef>
#include <span>

#include "state/host_tensor.h"

namespace stagedtrain::state {

// Requires a whole number of elements. Any alignment is allowed.
bool all_finite(std::span<const std::byte> elements, DType dtype);
// The same, and none is below zero, as AdamW needs of exp_avg_sq, of which it takes the root.
bool all_finite_and_not_negative(std::span<const std::byte> elements, DType dtype);

}  // namespace stagedtrain::state
