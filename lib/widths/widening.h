// How are the residual stream, the heads and the feed-forward, or some of them, widened by copies?
#pragma once

#include <vector>

#include "grow/axis_operator.h"

namespace stagedtrain::grow {

// What new units copy. in_turn: old units, one after the other; random: old units, each with the
// same probability (Net2Net, arXiv 1511.05641); next_layer: as in_turn, but the rows of matrices
// and biases come from the layer above (AKI of bert2BERT, arXiv 2110.07143).
enum class Copies { in_turn, random, next_layer };
inline constexpr const char* kCopiesDoc =
    "what new units copy. in_turn: old ones, one after the other; random: old ones, each with the "
    "same probability (Net2Net), the loss is kept if the residual stream stays as wide as it is; "
    "next_layer: rows of the layer above (AKI), the loss changes";

// The options of operators that multiply axes by a factor.
struct Widening {
  std::int64_t factor = 2;
  std::vector<GrowingAxis> axes;  // empty means all

  template <class V>
  void fields(V& v) {
    v("factor", factor, {.doc = "how many times wider; head_dim is kept", .min = 1, .max = 64});
    v("axes", axes,
      {.doc = "what is multiplied; not given: all three. residual: width; heads: heads and "
              "kv_heads; ffn: the hidden units",
       .shape = "list of residual, heads, ffn"});
  }
  // Returns the widened model. Throws Error(usage) if its sizes are out of range.
  arch::ModelConfig grown(const arch::ModelConfig& from) const;
};

// Returns maps that copy old indices of the residual stream, heads and ffn and split the weights of
// readers evenly among the copies, together with the noise that breaks the symmetry. Throws
// Error(usage) if random copies would need too many blocks, or if norms of queries and keys do not
// allow the heads (head_growth.h).
AxisGrowth copied_axes(const GrowthContext& context, const Symmetry& symmetry,
                       Copies copies = Copies::in_turn);
// Returns the growth by such maps. It promises the loss if all indices of the residual stream have
// equally many copies and no copies come from the layer above.
WholeGrowth growth_by_copies(AxisGrowth axes, const GrowthContext& context, Copies copies);

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::Copies> {
  static constexpr std::array names{"in_turn", "random", "next_layer"};
};
}  // namespace stagedtrain
