// A segment as a matrix of the flat buffers, its learning-rate ramp, and a walk over all that move.
#pragma once

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "model/param_buffer.h"

namespace stagedtrain::train {

// The segment's rows and columns in a buffer of the layout; begin is the buffer's own place in it.
inline at::Tensor part_of(const at::Tensor& flat, const model::Segment& s, std::int64_t begin = 0) {
  return flat.as_strided({s.rows, s.count}, {std::max(s.stride, s.count), 1},
                         flat.storage_offset() + s.offset - begin);
}

// The share of the learning rate that the segment's numbers get in step `step`, which counts
// from 1.
inline double ramp_at(const model::Segment& s, std::int64_t step) {
  const auto age = static_cast<double>(step - s.age.start);
  const auto ramp_steps = static_cast<double>(s.age.ramp_steps);
  return ramp_steps > 0 && age < ramp_steps ? age / ramp_steps : 1;
}

// Calls body(segment, gradient) for every segment that an optimizer moves, its gradient multiplied
// by gradient_factor first. Leaves all gradients at zero.
template <class Body>
void for_moving_segments(model::ParamBuffer& params, double gradient_factor, const Body& body) {
  const at::NoGradGuard no_grad;
  for (const model::Segment& segment : params.segments()) {
    at::Tensor gradient = part_of(params.grads(), segment);
    if (!segment.frozen && !segment.idle) {
      if (gradient_factor != 1) gradient.mul_(gradient_factor);
      body(segment, gradient);
    }
    gradient.zero_();
  }
}

}  // namespace stagedtrain::train
