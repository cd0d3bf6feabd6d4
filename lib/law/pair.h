// When to grow one size into the next, and what that saves.
#pragma once

#include <span>

#include "law/assumption.h"
#include "law/loss_law.h"

namespace stagedtrain::law {

// One growth. Tokens of the smaller size are counted along its own curve, all others along the
// larger one's; divide the credit by the tokens of the whole run from scratch for the saving.
struct Growth {
  Assumption assumption = Assumption::loss_state;
  double loss = 0;                  // at the growth
  double small_tokens = 0;          // seen by the smaller size
  double resume_tokens = 0;         // where the larger one goes on
  double credit = 0;                // resume_tokens - small_tokens * cost ratio; what is saved
  double earliest = 0, latest = 0;  // small_tokens between them keep 95 % of the credit

  double rho() const { return small_tokens / resume_tokens; }
  bool pays() const { return credit > 0; }
};
constexpr double kPlateau = 0.95;

// The growth after these tokens of the smaller size, under loss-state; its credit may be negative.
Growth growth_after(const Size& small, const Size& large, double small_tokens);

// The best one of a run that ends at end_loss, under loss-state: where both sizes pay the same for
// the next bit of loss, c_b dD_b/dL = c_a dD_a/dL. If growing never pays, its credit is 0 and it
// comes at once, after 0 tokens. If the smaller size is the cheaper one to the end, its loss is
// end_loss.
Growth best_growth(const Size& small, const Size& large, double end_loss);

// The tokens of a size at losses from its start down to just above its floor: looked up once for
// growths of many ends and prices.
struct LossGrid {
  std::vector<double> losses, tokens;  // falling losses
};
LossGrid loss_grid(const LossCurve& curve);
// The same best growth without its plateau. grid: of the smaller size; large_tokens: the larger
// one's at the grid's losses.
Growth best_growth(const Size& small, const Size& large, double end_loss, const LossGrid& grid,
                   std::span<const double> large_tokens);
// A best growth with its plateau looked for.
Growth with_plateau(const Size& small, const Size& large, double end_loss, Growth growth);

// Curves that share scale and exponent and have no offset have it in closed form.
struct SharedExponent {
  double small_floor, large_floor, scale, exponent, cost_ratio;
};
Growth best_growth(const SharedExponent& pair);

// A run of the larger size from scratch, against which the other assumptions are planned.
struct RunLength {
  double tokens = 0;  // of the whole run
  double decay = 0;   // of which the last, in which the rate comes down
  double mixing = 0;  // that a grown model needs to forget that it was small
  double margin = 0;  // kept for safety
  // The last moment for a growth that mixes. Throws Error(usage) if there is none.
  double last_growth() const;
};

// Under mixing later is better, up to the last moment.
Growth mixing_growth(const Size& small, const Size& large, const RunLength& run);
// With a rho that was measured, which says nothing about other times than those it was measured at.
// It pays while rho is below c_b/c_a.
Growth measured_growth(const Size& small, const Size& large, double small_tokens, double rho);

}  // namespace stagedtrain::law
