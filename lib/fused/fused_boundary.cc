// Computes the boundaries of looped cores from kernels of norms and of the residual stream.
#include "fused/fused_boundary.h"

#include <algorithm>

#include "kernels/residual.h"
#include "kernels/rms_norm.h"

namespace stagedtrain::model {
namespace {

float alpha_of(const FusedRun& run) { return static_cast<float>(run.sizes.boundaries.alpha); }

// The boundary before this position, or null.
const BoundaryActivations* boundary_at(const FusedRun& run, std::int64_t position) {
  const std::int64_t j = run.sizes.boundaries.before(position);
  return j < 0 ? nullptr : &run.acts.boundaries[static_cast<std::size_t>(j)];
}

}  // namespace

float* before_boundary(const FusedRun& run, std::int64_t position, float* stream) {
  const BoundaryActivations* boundary = boundary_at(run, position);
  return boundary ? boundary->x : stream;
}

void cross_boundary(const FusedRun& run, std::int64_t position, float* stream,
                    const RowWork& rows) {
  const BoundaryActivations* boundary = boundary_at(run, position);
  if (!boundary) return;
  const FusedSizes& s = run.sizes;
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::rms_norm(boundary->x, run.acts.unit_gain, s.eps, begin, end, s.width, stream,
                      boundary->rstd);
    kernels::add_scaled(stream, run.acts.boundaries.front().x, alpha_of(run), begin, end, s.width,
                        stream);
  });
}

void boundary_backward(const Backward& b, std::int64_t position, const RowWork& rows) {
  const BoundaryActivations* boundary = boundary_at(b.run, position);
  if (!boundary) return;
  const FusedActivations& a = b.acts();
  const std::int64_t width = b.s().width;
  const bool last = boundary == &a.boundaries.back(), first = boundary == &a.boundaries.front();
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t part) {
    if (last) std::fill(a.dprelude + begin * width, a.dprelude + end * width, 0.0f);
    kernels::add_scaled(a.dprelude, a.dx, alpha_of(b.run), begin, end, width, a.dprelude);
    // The gain is not trained, so the sums of its gradient are not used.
    kernels::rms_norm_backward(a.dx, boundary->x, boundary->rstd, a.unit_gain, begin, end, width,
                               true, a.dx, b.sums(part, a.sums_stride - width));
    if (first) kernels::add_scaled(a.dx, a.dprelude, 1, begin, end, width, a.dx);
  });
}

}  // namespace stagedtrain::model
