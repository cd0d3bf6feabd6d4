// Defines what all operators do besides growing weights: the symmetry between copies, Adam's
// moments, and the dynamics of later steps (docs/growth.md, "Moments" and "Symmetry, and breaking
// it").
//
// With the maps D and S of a tensor's axes, the exact moments are
//   exp_avg' = S_out^T exp_avg D_in^T        exp_avg_sq' = (S_out^T)^2 exp_avg_sq (D_in^T)^2
// with squares taken entry by entry, if each new entry comes from one old entry. That is `moments:
// equivariant`; the other choices zero some entries or copy them unscaled.
//
// Adam ignores the size of a gradient, so exact moments do not yet give the same training: each of
// k blocks in a row would be moved by a whole update. `dynamics: exact` also multiplies, for a
// tensor whose inputs have c_in copies and outputs c_out, the learning rate by 1 / c_in, the decay
// by c_in and eps by 1 / c_out. Training and growing then commute (law 7 in tests/laws).
//
// Invariant: a rule is independent of operator and architecture, and apply_rule takes back every
// promise that it breaks.
//
// Rejected as defaults, by the measurements in docs/log.md: equivariant moments where entries are
// copied (reset_new also separates the copies, at no cost), and exact dynamics, which trained worse
// in short runs. The code of the Staged Training paper fills only the diagonal blocks of the
// moments; zero blocks have gradients as well, so that is not offered.
#pragma once

#include <array>
#include <cstdint>

#include "base/fields.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// A seeded break of the symmetry between copies that keeps the loss: noise whose rows of blocks sum
// to zero, but whose columns do not.
struct Symmetry {
  double noise = 0.01;
  std::int64_t seed = 7;
  template <class V>
  void fields(V& v) {
    v("noise", noise,
      {.doc = "size of the break, relative to each matrix's root mean square; 0: none, and copies "
              "stay equal for ever unless moments tell them apart",
       .min = 0,
       .max = 1});
    v("seed", seed, {.doc = "seed of all that is random", .min = 0});
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
      {.doc =
           "Adam moments. equivariant: as the gradient grows, new layers zero; reset_new: kept "
           "where a number is the first copy of an old one, or made of several, zero elsewhere; "
           "reset: all zero; copy: as the weights are, unscaled; the mean where a weight is made "
           "of several. What is zero starts its bias correction over"});
    v("dynamics", dynamics,
      {.doc = "exact: learning rate, decay and eps of each tensor scaled so that the grown model "
              "trains as the small one would; plain: as they are"});
    v("ramp", ramp,
      {.doc = "steps over which the learning rate rises for numbers whose moments were zeroed",
       .min = 0,
       .max = 1e9});
  }
};

// Applies the rule to a step whose tensors have grown gradients and, in new layers, still the
// weights of the layer that they come from: `copy` takes the moments that belong to these weights,
// whatever begin_layer makes of them afterwards. Takes back the promises that the rule breaks.
void apply_rule(const StateRule& rule, GrowthStep& step);

}  // namespace stagedtrain::grow
