// Draws dropout masks with a counter-based generator, one vector of 32-bit hashes at a time.
//
// Each row has a key of 64 bits, hashed from the mask's key and the row (SplitMix64, Steele et al.
// 2014). The hash of an element is the 32-bit finaliser lowbias32 (github.com/skeeto/
// hash-prospector) of its column, into which one half of the row's key enters before the first
// multiplication and the other half between the two. With one half alone, two rows whose halves
// differ in few bits would have the same mask in another order.
#include "kernels/dropout.h"

#include <cmath>

#include "kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dropout.cc"
#include <hwy/foreach_target.h>

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

using Unsigned = hn::RebindToUnsigned<Floats>;
inline constexpr Unsigned kUnsigned{};

struct RowKey {
  std::uint32_t low, high;
};
HWY_INLINE RowKey row_key(std::uint64_t key, std::int64_t row) {
  std::uint64_t x = key + static_cast<std::uint64_t>(row + 1) * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  x ^= x >> 31;
  return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(x >> 32)};
}

// Returns 31 random bits for each of the columns from `column` on.
HWY_INLINE hn::Vec<Ints> random_bits(const RowKey& key, std::int64_t column) {
  auto h =
      hn::Add(hn::Iota(kUnsigned, static_cast<std::uint32_t>(column)), hn::Set(kUnsigned, key.low));
  h = hn::Xor(h, hn::ShiftRight<16>(h));
  h = hn::Xor(hn::Mul(h, hn::Set(kUnsigned, 0x7feb352du)), hn::Set(kUnsigned, key.high));
  h = hn::Xor(h, hn::ShiftRight<15>(h));
  h = hn::Mul(h, hn::Set(kUnsigned, 0x846ca68bu));
  h = hn::Xor(h, hn::ShiftRight<16>(h));
  return hn::BitCast(Ints(), hn::ShiftRight<1>(h));
}

void drop_rows(const Dropout& dropout, const float* x, std::int64_t begin, std::int64_t end,
               std::int64_t width, float* y) {
  const double share = std::ldexp(static_cast<double>(dropout.probability), 31);
  const auto threshold = hn::Set(Ints(), static_cast<std::int32_t>(share));
  const Vec scale = set(dropout.scale);
  for (std::int64_t r = begin; r < end; ++r) {
    const RowKey key = row_key(dropout.key, r);
    const std::int64_t row = r * width;
    for_vectors(0, width, [&](std::int64_t c, auto io) HWY_ATTR {
      const auto dropped = hn::Lt(random_bits(key, c), threshold);
      const Vec kept = hn::Mul(io.load(x + row + c), scale);
      io.store(hn::IfThenZeroElse(hn::RebindMask(kFloats, dropped), kept), y + row + c);
    });
  }
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace stagedtrain::kernels {

HWY_EXPORT(drop_rows);

void drop(const Dropout& dropout, const float* x, std::int64_t begin, std::int64_t end,
          std::int64_t width, float* y) {
  HWY_DYNAMIC_DISPATCH(drop_rows)(dropout, x, begin, end, width, y);
}

}  // namespace stagedtrain::kernels
#endif  // HWY_ONCE
