// Provides the vector operations that all kernels share: tails, sums of lanes, exp. Included once
// per processor target.
#if defined(STAGEDTRAIN_KERNELS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STAGEDTRAIN_KERNELS_SIMD_INL_H_
#undef STAGEDTRAIN_KERNELS_SIMD_INL_H_
#else
#define STAGEDTRAIN_KERNELS_SIMD_INL_H_
#endif

#include "kernels/targets.h"
//
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = HWY_FULL(float);
using Ints = hn::RebindToSigned<Floats>;
using Vec = hn::Vec<Floats>;
inline constexpr Floats kFloats{};

HWY_INLINE std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(kFloats)); }

HWY_INLINE Vec load(const float* p) { return hn::LoadU(kFloats, p); }
HWY_INLINE void store(Vec v, float* p) { hn::StoreU(v, kFloats, p); }
HWY_INLINE Vec set(float x) { return hn::Set(kFloats, x); }
HWY_INLINE Vec zero() { return hn::Zero(kFloats); }
HWY_INLINE float sum_of_lanes(Vec v) { return hn::GetLane(hn::SumOfLanes(kFloats, v)); }
HWY_INLINE float max_of_lanes(Vec v) { return hn::GetLane(hn::MaxOfLanes(kFloats, v)); }

// Masked access beyond the end of an array is safe on some targets only.
#if defined(HWY_MEM_OPS_MIGHT_FAULT) && !HWY_MEM_OPS_MIGHT_FAULT
// Loads the first n < lanes() floats; the other lanes are zero.
HWY_INLINE Vec load_tail(const float* p, std::int64_t n) {
  return hn::MaskedLoad(hn::FirstN(kFloats, static_cast<std::size_t>(n)), kFloats, p);
}
HWY_INLINE void store_tail(Vec v, float* p, std::int64_t n) {
  hn::BlendedStore(v, hn::FirstN(kFloats, static_cast<std::size_t>(n)), kFloats, p);
}
#else
HWY_INLINE Vec load_tail(const float* p, std::int64_t n) {
  HWY_ALIGN float copy[HWY_LANES(float)] = {};
  for (std::int64_t i = 0; i < n; ++i) copy[i] = p[i];
  return hn::Load(kFloats, copy);
}
HWY_INLINE void store_tail(Vec v, float* p, std::int64_t n) {
  HWY_ALIGN float copy[HWY_LANES(float)];
  hn::Store(v, kFloats, copy);
  for (std::int64_t i = 0; i < n; ++i) p[i] = copy[i];
}
#endif

// Replaces the lanes of v from n on by those of rest.
HWY_INLINE Vec first_lanes(Vec v, std::int64_t n, Vec rest) {
  return hn::IfThenElse(hn::FirstN(kFloats, static_cast<std::size_t>(n)), v, rest);
}

// The two ways in which a loop body accesses memory: a whole vector, or the last n floats of a row.
struct Whole {
  HWY_INLINE Vec load(const float* p) const { return HWY_NAMESPACE::load(p); }
  HWY_INLINE void store(Vec v, float* p) const { HWY_NAMESPACE::store(v, p); }
  HWY_INLINE Vec keep(Vec v, Vec) const { return v; }
};
struct Tail {
  std::int64_t n;
  HWY_INLINE Vec load(const float* p) const { return load_tail(p, n); }
  HWY_INLINE void store(Vec v, float* p) const { store_tail(v, p, n); }
  HWY_INLINE Vec keep(Vec v, Vec rest) const { return first_lanes(v, n, rest); }
};

// Calls body(column, access) over [begin, end), one vector at a time.
template <class Body>
HWY_INLINE void for_vectors(std::int64_t begin, std::int64_t end, const Body& body) {
  const std::int64_t step = lanes();
  std::int64_t c = begin;
  for (; c + step <= end; c += step) body(c, Whole{});
  if (c < end) body(c, Tail{end - c});
}

// Computes exp(x) within 2 ulp for |x| <= 87.3. Other values are clamped to that range, so the
// result lies between 1.2e-38 and 8.2e37, and both it and its reciprocal are normal numbers. NaN
// stays NaN.
//
// With x = n ln 2 + r and |r| <= ln 2 / 2, exp(x) = 2^n (1 + r + r^2 q(r)), where q is fitted to a
// relative error of 3e-9. Adding 1.5 * 2^23 rounds to the integer n and leaves it in the low bits;
// a shift then moves it into the exponent.
HWY_INLINE Vec exp_of(Vec x) {
  const Ints ints;
  const Vec magic = set(12582912.0f);
  x = hn::Min(set(87.3f), hn::Max(set(-87.3f), x));  // keeps a NaN in the right operand
  const Vec shifted = hn::MulAdd(x, set(1.442695041f), magic);
  const Vec n = hn::Sub(shifted, magic);
  Vec r = hn::NegMulAdd(n, set(0.693145751953125f), x);
  r = hn::NegMulAdd(n, set(1.42860677e-6f), r);
  Vec q = hn::MulAdd(set(1.381446724e-3f), r, set(8.368780836e-3f));
  q = hn::MulAdd(q, r, set(4.166839272e-2f));
  q = hn::MulAdd(q, r, set(1.666651964e-1f));
  q = hn::MulAdd(q, r, set(4.999999404e-1f));
  const Vec p = hn::Add(hn::MulAdd(hn::Mul(q, r), r, r), set(1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(ints, shifted));
  return hn::BitCast(kFloats, hn::Add(hn::BitCast(ints, p), exponent));
}

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
