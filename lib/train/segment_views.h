// A segment as a matrix of the flat buffers, and its learning-rate ramp at a step.
#pragma once

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

}  // namespace stagedtrain::train
