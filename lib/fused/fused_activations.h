// Lists what the fused model stores between forward and backward, and its work buffers.
#pragma once

#include <vector>

#include "fused/fused_tensors.h"
#include "kernels/experts.h"
#include "kernels/token_view.h"
#include "model/arena.h"
#include "model/model.h"
#include "model/row_work.h"
#include "products/attention.h"

namespace stagedtrain::model {

// The input, output and statistics of a norm. Where norms follow the branches, y is not the norm's
// output but the stream that the branch reads, so that y is what a branch reads in any case.
struct NormActivations {
  float *x, *y, *mean, *rstd;  // [R, C], [R, C], [R], [R]
};
// The input of a boundary of looped cores, and the statistics of its norm.
struct BoundaryActivations {
  float *x, *rstd;  // [R, C], [R]
};
// Shapes: R rows of the batch, B sequences, T length, H heads, C width, A heads x head_dim, Q
// (heads + 2 kv_heads) x head_dim, F ffn, U ffn (gated: 2 x ffn), V vocab, G rows of a group of
// logits, E experts, M R x the experts of a row (R without experts).
struct LayerActivations {
  NormActivations norm_1, norm_2;
  float *qkv, *attended, *lse;  // [R, Q], [R, A], [B, H, T]
  float* raw_qk;                // [R, queries and keys], before their norms; null without norms
  float* up;                    // [M, U], before the activation; sorted by expert
  kernels::Routing routing;     // to the experts
};

struct FusedActivations {
  std::int64_t sequences = 0, length = 0, rows = 0;
  RowPlan plan;  // for the layers; its buffers are the scratch memory of all phases
  std::vector<LayerActivations> layers;
  NormActivations final_norm = {};
  std::vector<BoundaryActivations> boundaries;  // in the order of the forward pass
  float* unit_gain = nullptr;                   // [C], ones; null without boundaries
  float* dprelude = nullptr;                    // [R, C], the gradient of what the prelude left
  float* hidden = nullptr;  // [M, F], the output of the activation in the current layer
  Recompute recompute = Recompute::none;
  // [R, C] forward: the output of a residual branch; backward: the gradient of a norm's output
  float* branch = nullptr;
  float* dx = nullptr;          // [R, C], the gradient of the residual stream
  float* spare = nullptr;       // [R, C], takes branch's place while a block is recomputed
  float* other = nullptr;       // [R, C], the second of two parallel branches
  float* dbranch = nullptr;     // [R, C], the gradient of a branch; equals dx where it can
  float* dattention = nullptr;  // [R, C], that of attention if it is parallel; else equals dbranch
  float* dattended = nullptr;   // [R, A]
  float* dqkv = nullptr;        // [R, Q]
  float* dhidden = nullptr;     // [M, F]
  float* dup = nullptr;         // [M, U]; equals dhidden if not gated and without experts
  float* joined_up = nullptr;   // [U, C], gate and up of the hidden units that run, if not all do
  float* logits = nullptr;      // [G, V]
  double* losses = nullptr;     // [R]
  std::int32_t* ids = nullptr;  // [B, T + 1] with targets, else [B, T]
  // Only with experts; inputs to dgates are sorted by expert.
  float* inputs = nullptr;    // [M, C], of the experts
  float* mixture = nullptr;   // [M, C] forward: their outputs; backward: their inputs' gradient
  float* dmixture = nullptr;  // [M, C], the gradient of their outputs
  float* dgates = nullptr;    // [M]
  float* dlogits = nullptr;   // [R, E], the gradient of the router's logits
  std::int64_t* choices = nullptr;  // [E], how often each was chosen in the layers of this pass
  float* sums = nullptr;            // [plan.parts, sums_stride], partial sums over rows
  std::int64_t sums_stride = 0;
  std::int64_t group = 0;          // G, the number of rows whose logits exist at a time
  std::int64_t packed_floats = 0;  // the size of the buffer for the packed weights of a phase
  kernels::AttentionShape attention;

  float* scratch_of(std::int64_t worker) const {
    return plan.buffers.scratch + worker * plan.buffers.scratch_stride;
  }
};

// What a batch is laid out for. If forward_only is set, all layers share their buffers and backward
// has none. Otherwise a backward pass follows, which recomputes what `recompute` says.
struct Purpose {
  bool forward_only = false;
  Recompute recompute = Recompute::none;
  bool dropout = false;
  bool operator==(const Purpose&) const = default;
};
// Lays the arena out anew for this shape. The pointers are valid until the next layout.
FusedActivations lay_out(Arena& arena, const FusedSizes& sizes, std::int64_t sequences,
                         std::int64_t length, const Purpose& purpose);

}  // namespace stagedtrain::model
