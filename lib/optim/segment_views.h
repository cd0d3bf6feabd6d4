// Gives optimizers a view of a segment, its learning-rate ramp, and a loop over the segments that
// they move.
#pragma once

#include <ATen/core/grad_mode.h>

#include "model/param_buffer.h"

namespace stagedtrain::train {

// Returns a view of the segment in a flat buffer.
inline at::Tensor view_of(const at::Tensor& flat, const model::Segment& s) {
  return flat.narrow(0, s.offset, s.count);
}

// Returns the share of the learning rate that the segment gets in step `step`, which counts from 1.
inline double ramp_at(const model::Segment& s, std::int64_t step) {
  const auto age = static_cast<double>(step - s.age.start);
  const auto ramp_steps = static_cast<double>(s.age.ramp_steps);
  return ramp_steps > 0 && age < ramp_steps ? age / ramp_steps : 1;
}

// Calls body(segment, gradient) for every segment that is neither frozen nor idle, after
// multiplying its gradient by gradient_factor. Sets all gradients to zero.
template <class Body>
void for_moving_segments(model::ParamBuffer& params, double gradient_factor, const Body& body) {
  const at::NoGradGuard no_grad;
  for (const model::Segment& segment : params.segments()) {
    at::Tensor gradient = view_of(params.grads(), segment);
    if (!segment.frozen && !segment.idle) {
      if (gradient_factor != 1) gradient.mul_(gradient_factor);
      body(segment, gradient);
    }
    gradient.zero_();
  }
}

}  // namespace stagedtrain::train
