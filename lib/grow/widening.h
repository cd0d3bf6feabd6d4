// Widens the residual stream, the heads and the feed-forward, or some of them, by copies.
#pragma once

#include <vector>

#include "grow/axis_operator.h"

namespace stagedtrain::grow {

struct Widening {
  std::int64_t factor = 2;
  std::vector<GrowingAxis> axes;  // empty: all

  template <class V>
  void fields(V& v) {
    v("factor", factor, {.doc = "how many times wider; head_dim is kept", .min = 1, .max = 64});
    v("axes", axes,
      {.doc = "what is multiplied; not given: all three. residual: width; heads: heads and "
              "kv_heads; ffn: the hidden units",
       .shape = "list of residual, heads, ffn"});
  }
  arch::ModelConfig grown(const arch::ModelConfig& from) const;
};

// Returns maps that copy old indices of residual stream, heads and ffn in turn and split readers
// among the copies, with the seeded break of the symmetry.
AxisGrowth copied_axes(const GrowthContext& context, const Symmetry& symmetry);

}  // namespace stagedtrain::grow
