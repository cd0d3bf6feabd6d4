// The options that operators with a fit share (grow/dense_map.h), and what they exclude.
#pragma once

#include "base/error.h"
#include "grow/dense_map.h"
#include "grow/layer_growth.h"
#include "grow/state_rule.h"
#include "text/fields.h"

namespace stagedtrain::grow {

struct FitOptions {
  std::int64_t steps = 100;
  double lr = 3e-3, noise = 0.01;
  std::optional<std::int64_t> sequences;
  template <class V>
  void fields(V& v) {
    v("steps", steps,
      {.doc =
           "steps that train the maps, and nothing else, on the training data before the growth; "
           "their tokens, FLOPs and time count. Trained maps have no rule for moments and "
           "dynamics, which must then be reset and plain. 0: plain copies",
       .min = 0,
       .max = 1e6});
    v("lr", lr,
      {.doc = "learning rate of the maps (Adam), whose entries begin as 0 and 1",
       .min = 0,
       .max = 1,
       .above_min = true});
    v("noise", noise,
      {.doc = "random numbers added to each row of a map that is trained, relative to its length; "
              "they let several copies of a unit become different",
       .min = 0,
       .max = 1});
    v("sequences", sequences,
      {.doc = "sequences in each of these steps (default: as many as the run's batch has)",
       .min = 1,
       .max = 1 << 24});
  }
  MapFit fit() const { return {steps, lr, sequences}; }
};

// What such an operator has besides its sizes. Without a fit it grows by copies.
struct FittedOptions {
  LayerOrder order = LayerOrder::append;
  FitOptions fit;
  std::int64_t seed = 7;
  StateRule state{Moments::reset};
  template <class V>
  void fields(V& v) {
    v("order", order,
      {.doc = "the old layer that each new layer begins as: append: the old layers again, after "
              "themselves; alternate: each layer twice in a row; others: as in depth"});
    v("fit", fit, {.doc = "how the maps are learned"});
    v("seed", seed, {.doc = "seed of the noise", .min = 0});
    state.fields(v);
  }
};

// Throws Error(usage) if the operator `name` has a fit and a rule that no fitted growth keeps.
inline void check_fit(const FittedOptions& options, const char* name) {
  const auto& [order, fit, seed, state] = options;
  if (fit.steps > 0 && state.moments != Moments::reset)
    throw usage_error(
        "{}: found moments: {}, expected reset: after a fit no rule gives the moments", name,
        enum_name(state.moments))
        .with_hint("leave out moments, or set fit.steps: 0");
  if (fit.steps > 0 && state.dynamics != Dynamics::plain)
    throw usage_error(
        "{}: found dynamics: {}, expected plain: after a fit the larger model does not train as "
        "the small one would",
        name, enum_name(state.dynamics))
        .with_hint("leave out dynamics, or set fit.steps: 0");
}

}  // namespace stagedtrain::grow
