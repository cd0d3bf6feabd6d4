// What does every operator do to the optimizer state? Adam's moments, the break of the symmetry
// between copies, and the dynamics of later steps (docs/growth.md, "Moments", "Symmetry, and
// breaking it").
//
// Let D and S be the maps of a tensor's axes (axis_map.h). Moments are averages of gradients and of
// their squares, so if each new entry comes from one old entry, they grow as these do:
//   exp_avg' = S_out^T exp_avg D_in^T        exp_avg_sq' = (S_out^T)^2 exp_avg_sq (D_in^T)^2
// with squares taken entry by entry. That is `moments: equivariant`. The other choices zero some
// entries, or copy the moments unscaled.
//
// Exact moments do not yet give the same training, because Adam divides out the scale of the
// gradient: each of the k blocks in a row of blocks would get a whole update, and the function
// would change k times as fast. For a tensor with c_in copies of its inputs and c_out of its
// outputs, `dynamics: exact` multiplies
//   the learning rate by 1 / c_in,   the decay by c_in,   eps by 1 / c_out
// after which training and growing commute (law 7 in tests/laws).
//
// Invariant: a rule depends neither on the operator nor on the architecture, and apply_rule
// withdraws every promise that the rule breaks.
//
// Rejected:
// - Equivariant moments as the default where entries are copied: reset_new separates the copies at
//   no cost, and trained at least as well (docs/log.md).
// - Exact dynamics as the default: they trained worse in short runs (docs/log.md).
// - The moments of the Staged Training paper's code, which fills only diagonal blocks: blocks whose
//   weights are zero have gradients too.
#pragma once

#include <array>
#include <cstdint>

#include "grow/recipe.h"
#include "text/fields.h"

namespace stagedtrain::grow {

// A seeded break of the symmetry between copies: noise whose rows of blocks sum to zero, which
// keeps the loss, and whose columns do not, which makes the copies' gradients differ. The operators
// vocabulary, upcycle and experts use the same options for noise of their own.
struct Symmetry {
  double noise = 0.01;
  std::int64_t seed = 7;
  template <class V>
  void fields(V& v) {
    v("noise", noise,
      {.doc = "size of the noise that breaks the symmetry, relative to each matrix's root mean "
              "square; 0: no noise, so copies stay equal unless their moments differ",
       .min = 0,
       .max = 1});
    v("seed", seed, {.doc = "seed of everything random", .min = 0});
  }
};

enum class Moments { equivariant, reset_new, reset, copy };
enum class Dynamics { plain, exact };

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::Moments> {
  static constexpr std::array names{"equivariant", "reset_new", "reset", "copy"};
};
template <>
struct EnumNames<grow::Dynamics> {
  static constexpr std::array names{"plain", "exact"};
};
}  // namespace stagedtrain

namespace stagedtrain::grow {

struct StateRule {
  Moments moments = Moments::equivariant;
  Dynamics dynamics = Dynamics::plain;
  std::int64_t ramp = 0;

  template <class V>
  void fields(V& v) {
    v("moments", moments,
      {.doc = "Adam moments. equivariant: transformed like the gradient, zero in new layers; "
              "reset_new: kept where a number is the first copy of an old one, or made of several, "
              "zero elsewhere; reset: all zero; copy: copied like the weights, unscaled; the mean "
              "where a weight is made of several. A tensor with zeroed moments restarts its bias "
              "correction"});
    v("dynamics", dynamics,
      {.doc = "exact: learning rate, decay and eps of each tensor scaled so that the grown model "
              "trains as the small one would; plain: unchanged. A schedule's parameterization sets "
              "them whichever is given"});
    v("ramp", ramp,
      {.doc = "steps over which the learning rate of a tensor rises if moments in it were zeroed",
       .min = 0,
       .max = 1e9});
  }
};

// Applies the rule to every tensor of the step and withdraws the promises that it breaks. On entry,
// `gradient` must hold the grown gradient of each tensor, and `value` the weights before
// begin_layer changes them: `moments: copy` takes the moments that belong to the source layer's
// weights, even where those of the new layer become zero.
void apply_rule(const StateRule& rule, GrowthStep& step);

}  // namespace stagedtrain::grow
