// The running weights: one flat buffer each for weights, gradients and both Adam moments.
#pragma once

#include <ATen/ATen.h>

#include <span>
#include <vector>

#include "arch/param_table.h"
#include "state/training_state.h"

namespace stagedtrain::model {

// Tensors of equal optimizer treatment that lie side by side in the flat buffers.
struct Segment {
  std::int64_t offset = 0, count = 0;
  bool decays = false;
  std::int64_t moment_start = 0;  // step at which these moments were last zeroed
};

// All four buffers are 1-D, of the master type (float32 or float64), on one device. Layout: tensors
// that decay first, then the others, each in table order, so that query, key and value of a layer
// form one packed matrix, and the optimizer needs few passes. Views share the buffers' memory.
class ParamBuffer {
 public:
  ParamBuffer(const arch::ParamTable& table, at::ScalarType master, at::Device device);

  const arch::ParamTable& table() const { return table_; }
  at::Tensor& weights() { return weights_; }
  at::Tensor& grads() { return grads_; }
  at::Tensor& exp_avg() { return exp_avg_; }
  at::Tensor& exp_avg_sq() { return exp_avg_sq_; }
  const std::vector<Segment>& segments() const { return segments_; }

  std::int64_t offset(std::size_t index) const { return offsets_[index]; }
  // A view of tensor index within any flat buffer of this layout, in the tensor's shape.
  at::Tensor view(const at::Tensor& flat, std::size_t index) const;
  // The named tensors, seen as one with their rows one after another. Requires that they lie side
  // by side and are equal but for their rows.
  at::Tensor packed_view(const at::Tensor& flat, const std::vector<std::string>& names) const;
  at::Tensor view(const at::Tensor& flat, const std::string& name) const;

  at::Tensor& of(state::Kind kind);
  // One tensor's bytes from host memory, of the master type.
  void set(state::Kind kind, std::size_t index, std::span<const std::byte> bytes);
  // One tensor's bytes in host memory: the buffer's own on a CPU, else a copy in room. Valid until
  // the buffer or room changes.
  std::span<const std::byte> get(state::Kind kind, std::size_t index, at::Tensor& room);
  // Per tensor of the table, the step at which its moments were last zeroed.
  void set_moment_start(const std::vector<std::int64_t>& moment_start);

  // Copies between host state and device. load takes the moments' ages too.
  void load(const state::TrainingState& from);
  void store(state::TrainingState& to) const;

 private:
  arch::ParamTable table_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::size_t> order_;  // table indices in buffer order
  at::Tensor weights_, grads_, exp_avg_, exp_avg_sq_;
  std::vector<Segment> segments_;
};

}  // namespace stagedtrain::model
