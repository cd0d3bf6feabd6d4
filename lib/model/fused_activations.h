// What a transformer keeps between forward and backward, and the buffers it works in.
#pragma once

#include <vector>

#include "kernels/attention.h"
#include "kernels/token_view.h"
#include "model/arena.h"
#include "model/fused_tensors.h"
#include "model/model.h"
#include "model/row_work.h"

namespace stagedtrain::model {

// A norm's input, output and statistics.
struct NormActivations {
  float *x, *y, *mean, *rstd;  // [R, C], [R, C], [R], [R]
};
// Legend: R rows of the batch, C width, A heads x head_dim, Q query, key and value, F ffn, U ffn
// or, gated, twice that, V vocab, G rows of a group.
struct LayerActivations {
  NormActivations norm_1, norm_2;
  float *qkv, *attended, *lse;  // [R, Q], [R, A], [B, H, T]
  float* up;                    // [R, U] before the activation
};

struct FusedActivations {
  std::int64_t sequences = 0, length = 0, rows = 0;
  RowPlan plan;  // of the layers; its room holds the scratch of all phases
  std::vector<LayerActivations> layers;
  NormActivations final_norm = {};
  float* hidden = nullptr;  // [R, F] after the activation, of the layer at hand
  Recompute recompute = Recompute::none;
  float* branch = nullptr;  // [R, C] what a residual branch adds; in the backward the gradient of a
                            // norm's output
  float* dx = nullptr;      // [R, C] gradient of the residual stream
  float* spare = nullptr;   // [R, C] branch while a block is made again
  float* dattended = nullptr;   // [R, A]
  float* dqkv = nullptr;        // [R, Q]
  float* dhidden = nullptr;     // [R, F]
  float* dup = nullptr;         // [R, U]; dhidden where not gated
  float* logits = nullptr;      // [G, V]
  double* losses = nullptr;     // [R]
  std::int32_t* ids = nullptr;  // [B, T + 1], or [B, T] where there are no targets
  float* sums = nullptr;        // [plan.parts, sums_stride] partial sums over rows
  std::int64_t sums_stride = 0;
  std::int64_t group = 0;          // G: rows whose logits are there at a time
  std::int64_t packed_floats = 0;  // room for the packed weights of a phase
  kernels::AttentionShape attention;

  float* scratch_of(std::int64_t worker) const {
    return plan.room.scratch + worker * plan.room.scratch_stride;
  }
};

// What a batch is run through for. forward_only: layers share their buffers, and there are none for
// the backward. Otherwise the backward pass follows, and makes again what recompute says.
struct Purpose {
  bool forward_only = false;
  Recompute recompute = Recompute::none;
  bool operator==(const Purpose&) const = default;
};
FusedActivations lay_out(Arena& arena, const FusedSizes& sizes, std::int64_t sequences,
                         std::int64_t length, const Purpose& purpose);

}  // namespace stagedtrain::model
