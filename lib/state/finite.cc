// Checks whether all values are finite, as one maximum over their bits.
//
// A float is infinite or NaN exactly if all bits of its exponent are set. Without the sign bit such
// values are the largest when read as integers, so one maximum decides for all elements. Compilers
// vectorize that loop, and unlike std::isfinite it also works with -ffast-math.
#include "state/finite.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace stagedtrain::state {
namespace {

template <class Bits>
bool all_below(std::span<const std::byte> elements, Bits infinity) {
  Bits largest = 0;
  for (std::size_t i = 0; i < elements.size() / sizeof(Bits); ++i) {
    Bits bits;
    std::memcpy(&bits, elements.data() + i * sizeof(Bits), sizeof(Bits));
    largest = std::max(largest, bits & static_cast<Bits>(~Bits{0} >> 1));
  }
  return largest < infinity;
}

}  // namespace

bool all_finite(std::span<const std::byte> elements, DType dtype) {
  ST_CHECK(elements.size() % dtype_size(dtype) == 0, "{} bytes of {}", elements.size(),
           dtype_name(dtype));
  return dtype == DType::f32 ? all_below<std::uint32_t>(elements, 0x7f800000u)
                             : all_below<std::uint64_t>(elements, 0x7ff0000000000000u);
}

}  // namespace stagedtrain::state
