// When should one size be grown into the next, and how many tokens does that save?
#pragma once

#include <span>

#include "scaling/assumption.h"
#include "scaling/loss_law.h"

namespace stagedtrain::scaling {

// One growth. small_tokens, earliest and latest are tokens along the smaller size's own curve;
// resume_tokens and tokens_saved are tokens of the larger size. The saving is tokens_saved divided
// by the tokens of the whole run of the larger size from scratch.
struct GrowthPoint {
  Assumption assumption = Assumption::loss_state;
  double loss = 0;                  // the loss at the growth, in nats
  double small_tokens = 0;          // tokens that the smaller size has seen
  double resume_tokens = 0;         // where the larger size continues on its own curve
  double tokens_saved = 0;          // tokens saved: resume_tokens - small_tokens * cost ratio
  double earliest = 0, latest = 0;  // small_tokens in this range keep 95% of the tokens saved

  double rho() const { return small_tokens / resume_tokens; }
  bool pays() const { return tokens_saved > 0; }
};
constexpr double kPlateau = 0.95;

// Returns the growth after small_tokens under loss-state. Its tokens_saved may be negative.
GrowthPoint growth_after(const Size& small, const Size& large, double small_tokens);

// Returns the best growth of a run that ends at end_loss, under loss-state: the growth at which
// both sizes pay the same for the next bit of loss, c_b dD_b/dL = c_a dD_a/dL (pair.cc). If no
// growth saves anything, tokens_saved is 0 and it comes after 0 tokens. If the smaller size is
// cheaper to the end, the growth comes at end_loss.
GrowthPoint best_growth(const Size& small, const Size& large, double end_loss);

// The tokens of a size at losses from its start down to just above its floor. They are computed
// once and serve growths of any end and price.
struct LossGrid {
  std::vector<double> losses, tokens;  // ordered by falling loss
};
LossGrid loss_grid(const LossCurve& curve);
// The same, without its plateau (earliest and latest). `grid` is that of the smaller size, and
// large_tokens are those of the larger size at the grid's losses.
GrowthPoint best_growth(const Size& small, const Size& large, double end_loss, const LossGrid& grid,
                        std::span<const double> large_tokens);
// Returns a best growth with `earliest` and `latest` filled in.
GrowthPoint with_plateau(const Size& small, const Size& large, double end_loss, GrowthPoint growth);

// Two curves E + B x^-b with the same B and b, whose best growth has a closed form.
struct SharedExponent {
  double small_floor, large_floor, scale, exponent, cost_ratio;
};
GrowthPoint best_growth(const SharedExponent& pair);

// A run of the larger size from scratch, in tokens. Growths under mixing are planned relative to
// it.
struct RunLength {
  double tokens = 0;  // the whole run
  double decay = 0;   // the part at its end in which the learning rate decays
  double mixing = 0;  // how long a grown model takes to catch up with one from scratch
  double margin = 0;  // a reserve
  // Returns tokens - decay - mixing - margin, the latest time for a growth that mixes before the
  // decay. Throws Error(usage) if that is not above 0.
  double last_growth() const;
};

// Returns the growth at run.last_growth() under mixing, where later is always better. Throws
// Error(usage) if the run is too short.
GrowthPoint mixing_growth(const Size& small, const Size& large, const RunLength& run);
// Returns the growth after small_tokens with a measured rho. It saves tokens if rho is below
// c_b/c_a. A rho is valid only near the time at which it was measured. Throws Error(usage) unless
// rho is above 0.
GrowthPoint measured_growth(const Size& small, const Size& large, double small_tokens, double rho);

}  // namespace stagedtrain::scaling
