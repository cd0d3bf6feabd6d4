// Computes GELU and its derivative on one vector. Included once per processor target.
#if defined(STAGEDTRAIN_KERNELS_GELU_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef STAGEDTRAIN_KERNELS_GELU_INL_H_
#undef STAGEDTRAIN_KERNELS_GELU_INL_H_
#else
#define STAGEDTRAIN_KERNELS_GELU_INL_H_
#endif

#include "kernels/simd_inl.h"

HWY_BEFORE_NAMESPACE();
namespace stagedtrain::kernels::HWY_NAMESPACE {

// s = 1 / (1 + e) with e = exp(-2 z) and z = sqrt(2 / pi) (u + 0.044715 u^3).
struct Gate {
  Vec e, s;
};

// Expects u2 = u * u.
HWY_INLINE Gate gate(Vec u, Vec u2) {
  const Vec minus_2z = hn::Mul(u, hn::MulAdd(u2, set(-0.0713548162726f), set(-1.59576912161f)));
  const Vec e = exp_of(minus_2z);
  return {e, hn::Div(set(1.0f), hn::Add(set(1.0f), e))};
}

// gelu'(u) = s + u s (1 - s) d(2z)/du. The factor 1 - s is computed as e s, which does not lose
// digits where s is close to 1.
HWY_INLINE Vec gelu_slope(Vec u, Vec u2, Gate g) {
  const Vec dz = hn::MulAdd(u2, set(0.214064448818f), set(1.59576912161f));
  return hn::MulAdd(hn::Mul(hn::Mul(u, g.s), hn::Mul(g.e, g.s)), dz, g.s);
}

HWY_INLINE Vec gelu_of(Vec u) { return hn::Mul(u, gate(u, hn::Mul(u, u)).s); }

}  // namespace stagedtrain::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
