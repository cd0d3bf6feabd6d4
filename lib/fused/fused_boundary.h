// Runs the boundaries of looped cores (arch/loops.h): u = RMSNorm(h) + alpha e, without a gain.
//
// The stream h that reaches a boundary is kept for the backward pass. That of the first boundary is
// e itself, because the prelude ends there. With du the gradient of u, summed over all boundaries,
//   dh = RMSNorm'(h) du        de = sum of alpha du
// and at the first boundary de joins dh.
#pragma once

#include "fused/fused_stream_backward.h"

namespace stagedtrain::model {

// Positions are those of the executed blocks; that of the final norm is their number.
inline bool is_boundary(const FusedRun& run, std::int64_t position) {
  return run.sizes.boundaries.before(position) >= 0;
}
// Returns where the residual stream before this position is written first: `stream`, or the input
// of the boundary that comes before it.
float* before_boundary(const FusedRun& run, std::int64_t position, float* stream);
// Computes the stream at this position from the boundary's input. Does nothing where there is no
// boundary.
void cross_boundary(const FusedRun& run, std::int64_t position, float* stream, const RowWork& rows);
// Changes dx from the gradient of the stream at this position to that of the boundary's input. Does
// nothing where there is no boundary. Call it for the boundaries from the last to the first.
void boundary_backward(const Backward& b, std::int64_t position, const RowWork& rows);

}  // namespace stagedtrain::model
