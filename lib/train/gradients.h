// The gradient of one optimizer step, in passes over micro-batches, on one rank or several.
#pragma once

#include <optional>
#include <vector>

#include "dist/flat_exchange.h"
#include "model/model.h"

namespace stagedtrain::train {

// rows: of a pass. seed and step decide the dropout. work: what each pass runs; empty: all.
struct GradientPasses {
  std::int64_t rows = 1;
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  std::vector<arch::StepWork> work = {};
};

// On a CPU the order of sums does not depend on the number of ranks (dist/sum_order.h), for which
// it keeps buffers for partial sums from step to step: as many flat gradients as the tree is deep
// (none for one pass, 1 for two, 2 for up to four, 3 for more). On a GPU, where memory is scarce
// and NCCL keeps no order either, every rank adds up its passes one after the other.
class StepGradient {
 public:
  // ranks must outlive it.
  explicit StepGradient(dist::Ranks& ranks) : ranks_(ranks) {}

  // Returns the mean loss of the batch, float64; alone, on the device, without waiting for it. The
  // model's gradients, zero before, become the batch's, the same to the bit on every rank: this
  // rank makes the passes that are its share. own_only: only in the parts that exchange().own()
  // names. Polls for a stop request between passes and throws Error(interrupted), leaving part of
  // a gradient.
  at::Tensor add_up(model::Model& model, const at::Tensor& tokens_BS, const GradientPasses& passes,
                    bool own_only = false);
  // Who owns what of the model's flat buffers.
  dist::FlatExchange& exchange_of(model::Model& model);

 private:
  struct Step;
  at::Tensor node(Step& step, const dist::Range& node);
  at::Tensor leaf(Step& step, std::int64_t leaf);
  at::Tensor set_aside(const at::Tensor& grads);
  at::Tensor mean_loss(const Step& step);

  dist::Ranks& ranks_;
  std::vector<at::Tensor> spare_;
  std::optional<dist::FlatExchange> exchange_;
};

}  // namespace stagedtrain::train
