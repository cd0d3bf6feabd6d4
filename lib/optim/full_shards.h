// Implements model::Shards: each rank keeps its own blocks of weights, gradients and moments
// (ZeRO-3, as in FSDP).
#pragma once

#include <future>
#include <optional>

#include "model/param_buffer.h"
#include "optim/block_cyclic_exchange.h"

namespace stagedtrain::train {

// Works on the CPU, in fp32 and bf16.
class FullShards final : public model::Shards {
 public:
  // ranks and params must outlive this object.
  FullShards(dist::Ranks& ranks, model::ParamBuffer& params);

  std::int64_t unit_of_head() const override { return head_; }
  Range matrices_of(std::int64_t unit) const override {
    return units_[static_cast<std::size_t>(unit)].matrices;
  }
  void acquire(std::int64_t unit) override;
  void release(std::int64_t unit) override;
  void gradient_is_complete(std::int64_t unit) override;
  void begin_pass(std::int64_t first, std::int64_t leaves, bool skips) override;
  void end_pass() override;
  void own_weights_changed() override;
  const std::vector<Range>& own() const override { return own_; }
  std::int64_t complete_from() const override;
  void collect(const at::Tensor& flat, const Range& range, at::Tensor& out,
               std::optional<int> receiver) override;

 private:
  // A unit's elements, the blocks that hold any of them, and those that begin in it.
  struct Unit {
    Range matrices, holds, begins;
  };
  void find_units();
  const at::Tensor& computed() const;
  // Makes a run of blocks of a flat buffer complete.
  void fetch(const at::Tensor& flat, const Range& run);
  std::vector<Range> add_user(std::int64_t unit);
  // Make the calls of blocks that the pass leaves out, up to the call for `unit`.
  void call_skipped_before(std::int64_t unit);
  void call_skipped_in_backward(std::int64_t unit);
  void acquire_next(std::int64_t unit);
  void complete_next(std::int64_t unit);
  std::int64_t blocks() const { return std::ssize(units_) - (head_ == 0 ? 1 : 2); }
  void fetch_ahead(std::int64_t unit);
  void finish_ahead();
  void drop_ahead();
  void give_up(std::int64_t unit);
  void give_up_pending();
  void add_gradients(const Range& run);
  void add_leaves(std::int64_t block, const std::vector<float*>& parts);
  float* level_at(std::size_t level, std::int64_t element);
  void clear(const at::Tensor& flat, std::int64_t block) const;
  bool last_pass() const { return first_ + exchange_.ranks() >= leaves_; }

  model::ParamBuffer& params_;
  BlockCyclicExchange exchange_;
  std::vector<Unit> units_;
  std::int64_t head_ = 0;
  std::int64_t complete_block_ = 0;  // from here on weights are always complete
  std::vector<Range> own_;
  std::vector<int> users_;  // how many units that are acquired need a block
  // A unit that was released, but whose weights are still there: the next one to be acquired is
  // often the same, where a forward pass turns into a backward pass.
  std::optional<std::int64_t> pending_;
  // The unit that is being gathered, or was, before it is acquired.
  std::optional<std::int64_t> ahead_;
  std::int64_t last_ = 0;    // the last unit but the head that was acquired
  std::vector<bool> added_;  // marks those whose gradients this pass has exchanged
  std::int64_t first_ = 0, leaves_ = 0;
  // In a pass that may leave out blocks, next_ is the unit whose turn is next.
  bool skips_ = false, backward_ = false;
  std::int64_t next_ = 0;
  // levels_[j] holds the sum of a node of 2^j leaves, if bit j of the number of leaves that were
  // added is set: a binary counter of sums.
  std::vector<at::Tensor> levels_;
  std::future<void> fetching_;  // the last member, because its thread uses the others
};

// Returns a maker of shards for the models of these ranks. ranks must outlive them.
model::MakeShards full_shards(dist::Ranks& ranks);

}  // namespace stagedtrain::train
