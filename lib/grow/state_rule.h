// What an operator does beyond the weights: breaking the symmetry between copies, the moments, and
// the dynamics of the steps that follow (docs/growth.md, section 2). The same for every operator.
#pragma once

#include <array>
#include <cstdint>

#include "base/fields.h"
#include "grow/recipe.h"

namespace stagedtrain::grow {

// A seeded break of the symmetry between copies that keeps the loss: rows balanced, columns not.
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

// Applies the rule to a step whose tensors have the grown gradient, and in new layers the weights
// of the layer that they come from: `copy` takes the moments that belong to these, whatever
// begin_layer makes of the weights afterwards. Takes the promises back that the rule breaks.
void apply_rule(const StateRule& rule, GrowthStep& step);

}  // namespace stagedtrain::grow
