// Stores the parameters of a running model in four flat buffers: weights, gradients, and the two
// moments of Adam; and, if asked for, a moving average of the weights in a fifth.
//
// Layout: tensors that decay come first, then the others, each group in the order of the table. As
// a result,
// - query, key and value of a layer are adjacent, so that packed_view gives one product's weight;
// - adjacent tensors that the optimizer treats the same are one Segment, so a step is few passes;
// - the gradient norm, and the exchange between ranks, work on one array.
//
// With shards (model/shards.h), each rank holds the parts that it owns. get() then collects a
// tensor from all ranks, and set() keeps this rank's part of it.
//
// Invariant: segments() covers every element once, and so do matrices() and other_segments()
// together.
#pragma once

#include <ATen/ATen.h>

#include <optional>
#include <span>
#include <vector>

#include "arch/idle_parts.h"
#include "arch/param_table.h"
#include "model/shards.h"
#include "state/training_state.h"

namespace stagedtrain::model {

// A run of elements in the flat buffers that the optimizer treats the same: a tensor, or adjacent
// tensors.
struct Segment {
  std::int64_t offset = 0, count = 0;
  bool decays = false;
  bool frozen = false;  // not trained in this stage, or in this step
  bool idle = false;    // did not run in this step, so the optimizer skips it
  state::MomentAge age;
  double lr_scale = 1, decay_scale = 1, eps_scale = 1;
};

// A matrix of the blocks (arch::is_muon_matrix), which an optimizer may treat as a whole.
struct Matrix {
  Segment segment;
  std::int64_t rows = 0, columns = 0;
};

// All buffers are 1-D, of the master type (float32 or float64), and on one device. Views share
// their memory.
class ParamBuffer {
 public:
  // sparse: only pages that are written take memory, for shards. Requires a CPU.
  ParamBuffer(const arch::ParamTable& table, at::ScalarType master, at::Device device,
              bool sparse = false);

  const arch::ParamTable& table() const { return table_; }
  at::Tensor& weights() { return weights_; }
  at::Tensor& grads() { return grads_; }
  at::Tensor& exp_avg() { return exp_avg_; }
  at::Tensor& exp_avg_sq() { return exp_avg_sq_; }
  // The segments of all tensors, the matrices of the blocks, and the segments of all other tensors.
  const std::vector<Segment>& segments() const { return segments_; }
  const std::vector<Matrix>& matrices() const { return matrices_; }
  const std::vector<Segment>& other_segments() const { return other_segments_; }

  // The exponential moving average of the weights. It is undefined unless keep_ema was called,
  // which begins with the present weights. With shards, it is kept where this rank owns it.
  at::Tensor& ema() { return ema_; }
  void keep_ema();

  // A bfloat16 copy of the weights with the same layout, for models that compute in bfloat16. It is
  // undefined unless keep_copy was called. Whoever changes the weights must update it.
  const at::Tensor& copy() const { return copy_; }
  void keep_copy();
  void update_copy();
  // Returns another flat buffer of zeros with this layout.
  at::Tensor flat_zeros(at::ScalarType type) const;

  // The shards of this rank, or null if it holds everything. They must outlive this object.
  Shards* shards() const { return shards_; }
  void set_shards(Shards* shards) { shards_ = shards; }

  std::int64_t offset(std::size_t index) const { return offsets_[index]; }
  // Returns a view of tensor `index` in any flat buffer of this layout, in the tensor's shape.
  at::Tensor view(const at::Tensor& flat, std::size_t index) const;
  // Returns a view of several tensors as one, with the rows of each after those of the one before.
  // Requires that they are adjacent and have equal shapes except for the number of rows.
  at::Tensor packed_view(const at::Tensor& flat, const std::vector<std::string>& names) const;
  at::Tensor view(const at::Tensor& flat, const std::string& name) const;

  // ema requires keep_ema.
  at::Tensor& of(state::TensorKind kind);
  // Copies one tensor, or the part of it that begins at element `begin`, from host memory. bytes
  // must have the master type.
  void set(state::TensorKind kind, std::size_t index, std::span<const std::byte> bytes);
  void set_part(state::TensorKind kind, std::size_t index, std::int64_t begin,
                std::span<const std::byte> bytes);
  // Returns one tensor in host memory: the buffer's own memory on a CPU, else a copy in `copy`.
  // The bytes are valid until that memory changes. With shards, the call is collective, and
  // the result is undefined on ranks other than the receiver, if there is one.
  std::span<const std::byte> get(state::TensorKind kind, std::size_t index, at::Tensor& copy,
                                 std::optional<int> receiver = {});
  // Whether this rank holds any of a tensor's elements [begin, end).
  bool holds(state::TensorKind kind, std::size_t index, std::int64_t begin, std::int64_t end) const;
  // Sets both moments to zero.
  void clear_moments();
  // Sets how the optimizer treats each tensor of the table. Tensors whose generation is below
  // train_from_generation, and those that are frozen in idle, are frozen, and models need not
  // compute their gradients. idle is of the current step.
  void set_histories(const std::vector<state::TensorHistory>& histories,
                     std::int64_t train_from_generation = 0, const arch::IdleParts& idle = {});
  // Whether each tensor of the table is frozen.
  const std::vector<bool>& frozen() const { return frozen_; }

  // Whether the optimizer may use the project's CUDA kernels on these buffers.
  bool own_cuda() const { return own_cuda_; }
  void set_own_cuda(bool own) { own_cuda_ = own; }

  // Copy all tensors between a state on the host and the device. load also takes the histories,
  // sets the gradients to zero, and keeps an average of the weights if the state has one.
  void load(const state::TrainingState& from);
  void store(state::TrainingState& to) const;

 private:
  arch::ParamTable table_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::size_t> order_;  // table indices in buffer order
  at::Tensor weights_, grads_, exp_avg_, exp_avg_sq_, ema_, copy_;
  std::vector<Segment> segments_, other_segments_;
  std::vector<Matrix> matrices_;
  std::vector<bool> frozen_;  // by table index
  bool own_cuda_ = false, sparse_ = false;
  Shards* shards_ = nullptr;
};

}  // namespace stagedtrain::model
