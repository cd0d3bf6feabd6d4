// How a growth by copies becomes Mango's tensor ring (arXiv 2310.10699).
//
// All matrices of the blocks are cut into parts of width x width numbers: query, key, value and
// output are one part each, up is k parts on top of each other and down k parts side by side, where
// k = ffn / width. So they form one tensor W[b, o, i, l] of kinds b, outputs o, inputs i and layers
// l. A ring of four maps makes the larger model's:
//   W'[b', o', i', l'] = sum over b, o, i, l and r1..r4 < rank of
//       B[r1, b', b, r2] O[r2, o', o, r3] L[r3, l', l, r4] I[r4, i', i, r1] W[b, o, i, l]
// So each part of the larger model is a sum of rank^4 products O (sum_bl B L W_bl) I^T
// (grow/dense_map.h). Unlike in LiGO, one map of outputs and one of inputs serve all layers and
// kinds, and query, key, value, output and feed-forward may be made of one another.
//
// The paper does not say how the rest grows. Here, as in LiGO: embeddings, norms and biases use O
// with r2 = r3 = 0, and what reads the final activations uses I with r4 = r1 = 0; vectors are mixed
// over layers by L with r3 = r4 = 0.
#pragma once

#include "grow/axis_growth.h"
#include "grow/layer_growth.h"

namespace stagedtrain::grow {

struct RingOptions {
  std::int64_t rank = 1;
  double noise = 0;  // relative to the length of a row, which is 1
  std::int64_t seed = 0;
};

// Throws Error(usage) unless the matrices of `model` can be cut into such parts and their rows and
// columns mixed freely: `what` is the operator's name.
void check_ring(const arch::ModelConfig& model, const char* what);

// Returns the map of hidden units in which each part of the feed-forward is copied by itself. The
// residual stream copies its indices in turn.
AxisMap ring_units(const arch::ModelConfig& from, const arch::ModelConfig& to);

// Replaces the blocks of every tensor by products of the ring's maps, and withdraws the promises of
// `step`. With rank 1 and without noise they make what `step` makes: a growth by copies in turn of
// the residual stream and the heads, by ring_units, and of new layers that are copies. Maps of
// other ranks start as noise alone.
void learn_ring(GrowthStep& step, const AxisGrowth& axes, const LayerMap& layers,
                const GrowthContext& context, const RingOptions& options);

}  // namespace stagedtrain::grow
