// The running weights: one flat buffer each for weights, gradients and both Adam moments.
#pragma once

#include <ATen/ATen.h>

#include <span>
#include <vector>

#include "arch/param_table.h"
#include "state/training_state.h"

namespace stagedtrain::model {

// Numbers of equal optimizer treatment: `rows` runs of `count` in the flat buffers, `stride` from
// one run's begin to the next. Whole tensors that lie side by side are one run.
struct Segment {
  std::int64_t offset = 0, count = 0, rows = 1, stride = 0;
  bool decays = false;
  bool frozen = false;  // never trained in this stage
  bool idle = false;    // did not run in this step: the optimizer leaves it as it is
  state::MomentAge age;
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
};

// A matrix of the blocks (arch::is_muon_matrix), which an optimizer may treat as a whole. Its parts
// cover it once; their offsets are in the flat buffers, and their scales are the matrix's own.
struct Matrix {
  std::int64_t offset = 0, rows = 0, columns = 0;
  bool frozen = false, idle = false;  // as a Segment's
  double lr_scale = 1, eps_scale = 1;
  std::vector<Segment> parts;
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
  // All tensors; the matrices of the blocks; and all but these.
  const std::vector<Segment>& segments() const { return segments_; }
  const std::vector<Matrix>& matrices() const { return matrices_; }
  const std::vector<Segment>& other_segments() const { return other_segments_; }

  // The weights in bfloat16, of the same layout, for models that compute with those; undefined
  // where keep_copy was not called. Who changes the weights brings it up to date.
  const at::Tensor& copy() const { return copy_; }
  void keep_copy();
  void update_copy();

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
  // How the optimizer is to treat each tensor of the table. Those that came in before
  // train_from_generation are frozen: models need not compute their gradients. Those of idle_layers
  // (empty: none; else one entry for each layer) did not run in the step at hand.
  void set_histories(const std::vector<state::TensorHistory>& histories,
                     std::int64_t train_from_generation = 0,
                     const std::vector<bool>& idle_layers = {});
  // Which tensors of the table are frozen.
  const std::vector<bool>& frozen() const { return frozen_; }

  // Whether the optimizer may use own CUDA kernels on these buffers.
  bool own_cuda() const { return own_cuda_; }
  void set_own_cuda(bool own) { own_cuda_ = own; }

  // Copies between host state and device. load takes the histories too.
  void load(const state::TrainingState& from);
  void store(state::TrainingState& to) const;

 private:
  arch::ParamTable table_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::size_t> order_;  // table indices in buffer order
  at::Tensor weights_, grads_, exp_avg_, exp_avg_sq_, copy_;
  std::vector<Segment> segments_, other_segments_;
  std::vector<Matrix> matrices_;
  std::vector<bool> frozen_;  // by index of the table
  bool own_cuda_ = false;
};

}  // namespace stagedtrain::model
