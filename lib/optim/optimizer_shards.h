// Runs the optimizer on one or several ranks, optionally with ZeRO-1: each rank then keeps the
// moments of its own part of the flat buffers, and steps there. Only AdamW allows that
// (refuse_to_share).
#pragma once

#include "optim/gradients.h"
#include "optim/optimizer.h"

namespace stagedtrain::train {

// A model with shards of its own (model/shards.h, ZeRO-3) needs neither begin() nor the gathers.
// Its norm and its step are those of the parts that its rank owns.
//
// Without sharding, begin() and the gathers do nothing. With it, only the parts of the moments that
// this rank owns are valid from begin() to gather(), and on a CPU the memory of the others is
// returned to the system. All calls but begin() are collective.
class OptimizerShards {
 public:
  // gradient and ranks must outlive this object.
  OptimizerShards(StepGradient& gradient, dist::Ranks& ranks, bool shared)
      : gradient_(gradient), ranks_(ranks), shared_(shared && !ranks.alone()) {}

  // Whether gradients and moments are valid only in the parts that a rank owns.
  bool shared() const { return shared_; }
  // Gives the memory of moments that other ranks own back to the system.
  void begin(model::Model& model);
  // Gather all moments on the first rank, or on all ranks, for saving and growing.
  void gather_at_first(model::Model& model);
  void gather(model::Model& model);

  // Returns the norm of the gradient that StepGradient has computed, as a 0-dim float64 tensor. It
  // has the same bits with and without sharding.
  at::Tensor norm(model::Model& model);
  // Does what Optimizer::step does. Afterwards all ranks have all weights.
  void step(model::Model& model, Optimizer& optimizer, double lr, std::int64_t step,
            double gradient_factor);

 private:
  const std::vector<Range>& own(model::Model& model);

  StepGradient& gradient_;
  dist::Ranks& ranks_;
  bool shared_;
};

}  // namespace stagedtrain::train
