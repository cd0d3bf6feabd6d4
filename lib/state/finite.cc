// Checks whether all values are finite, by comparing their bits as integers.
//
// A float is infinite or NaN exactly if all bits of its exponent are set. Without the sign bit such
// values are the largest when read as integers, so one comparison decides. Compilers vectorize that
// loop (a maximum only with more than SSE2), and unlike std::isfinite it also works with
// -ffast-math.
#include "state/finite.h"

#include <cstdint>
#include <cstring>

namespace stagedtrain::state {
namespace {

// magnitude: the bits that count. With the sign bit, negative numbers lie above infinity.
template <class Bits>
[[gnu::always_inline]] inline bool all_below(std::span<const std::byte> elements, Bits infinity,
                                             Bits magnitude) {
  constexpr Bits kMinusZero = Bits{1} << (sizeof(Bits) * 8 - 1);
  Bits bad = 0;
  for (std::size_t i = 0; i < elements.size() / sizeof(Bits); ++i) {
    Bits bits;
    std::memcpy(&bits, elements.data() + i * sizeof(Bits), sizeof(Bits));
    const Bits kept = bits == kMinusZero ? Bits{0} : static_cast<Bits>(bits & magnitude);
    bad |= kept >= infinity ? Bits{1} : Bits{0};
  }
  return bad == 0;
}

// magnitude: for f64; its upper half is that for f32.
[[gnu::always_inline]] inline bool compare(std::span<const std::byte> elements, DType dtype,
                                           std::uint64_t magnitude) {
  if (dtype == DType::f64) return all_below<std::uint64_t>(elements, 0x7ff0000000000000u, magnitude);
  return all_below<std::uint32_t>(elements, 0x7f800000u,
                                  static_cast<std::uint32_t>(magnitude >> 32));
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) bool compare_avx2(std::span<const std::byte> elements, DType dtype,
                                                  std::uint64_t magnitude) {
  return compare(elements, dtype, magnitude);
}
#endif

bool are_below(std::span<const std::byte> elements, DType dtype, std::uint64_t magnitude) {
  ST_CHECK(elements.size() % dtype_size(dtype) == 0, "{} bytes of {}", elements.size(),
           dtype_name(dtype));
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("avx2");
  if (fast) return compare_avx2(elements, dtype, magnitude);
#endif
  return compare(elements, dtype, magnitude);
}

}  // namespace

bool all_finite(std::span<const std::byte> elements, DType dtype) {
  return are_below(elements, dtype, ~std::uint64_t{0} >> 1);
}

bool all_finite_and_not_negative(std::span<const std::byte> elements, DType dtype) {
  return are_below(elements, dtype, ~std::uint64_t{0});
}

}  // namespace stagedtrain::state
