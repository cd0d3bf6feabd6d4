// Computes the gradient of one optimizer step, in passes over micro-batches, on one or several
// ranks.
#pragma once

#include <optional>
#include <vector>

#include "dist/flat_exchange.h"
#include "model/model.h"
#include "schedule/schedule.h"

namespace stagedtrain::train {

class GradientSum;

// rows is the size of a pass. seed and step determine the dropout masks. work is what each pass
// runs; empty: the whole model.
struct GradientPasses {
  std::int64_t rows = 1;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  std::vector<arch::StepWork> work = {};
};

// Returns the number of windows of one pass if the batch is divided among this many ranks.
std::int64_t rows_at_once(const schedule::BatchSpec& batch, std::int64_t ranks = 1);
// Returns the rows of one training pass, where a step has `rows` rows, of which `pieces` make a
// sequence. Without batch.micro, each rank runs its share of the step in one pass.
std::int64_t rows_of_pass(const schedule::BatchSpec& batch, std::int64_t rows, std::int64_t pieces,
                          std::int64_t ranks);

// On a CPU the order of additions does not depend on the number of ranks (base/sum_order.h). This
// takes buffers for partial sums, which are kept between steps: as many flat gradients as the tree
// is deep (0 for one pass, 1 for two, 2 for up to four, 3 for more). On a GPU memory is scarce, and
// NCCL keeps no order either, so each rank adds its passes one after the other.
//
// Ranks exchange gradients bucket by bucket. If the model says which are complete, that is another
// thread's work during the last pass, while lower layers still compute (optim/gradient_sum.h).
//
// With shards (model/shards.h) every pass is a leaf, because a rank keeps no gradients from one
// pass to the next, and ranks take the passes in turns. Sums of up to kMostLeaves passes are the
// same.
class StepGradient {
 public:
  // ranks must outlive this object. If pass_is_leaf is set, every pass is a leaf in any case.
  explicit StepGradient(dist::Ranks& ranks, bool pass_is_leaf = false)
      : ranks_(ranks), pass_is_leaf_(pass_is_leaf) {}

  // Runs this rank's share of the passes. Replaces the model's gradients, which must be zero, by
  // those of the batch, with the same bits on every rank. If own_only is set, they are valid only
  // in the parts that exchange_of(model).own() lists; with shards, only in those that the rank
  // owns. Returns the mean loss of the batch in float64. On a single rank the loss is on the
  // device, and the call does not wait for it. Polls for a stop request between passes and then
  // throws Error(interrupted), leaving a part of the gradient.
  at::Tensor add_up(model::Model& model, const at::Tensor& tokens_BS, const GradientPasses& passes,
                    bool own_only = false);
  // Returns the exchange that says which rank owns which part of the model's flat buffers.
  dist::FlatExchange& exchange_of(model::Model& model);

 private:
  struct Step;
  void node(Step& step, const Range& node, bool last);
  at::Tensor leaf(Step& step, std::int64_t leaf, bool last);
  GradientSum& begin_sum(Step& step, bool has_node);
  at::Tensor add_up_in_turns(Step& step);
  at::Tensor set_aside(const at::Tensor& grads);
  at::Tensor mean_loss(const Step& step);

  dist::Ranks& ranks_;
  bool pass_is_leaf_;
  std::vector<at::Tensor> spare_;
  std::optional<dist::FlatExchange> exchange_;
};

}  // namespace stagedtrain::train
