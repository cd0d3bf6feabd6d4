// The optimizer on one rank or several; with ZeRO-1, which only AdamW allows (refuse_to_share),
// each rank keeps the moments of its own part of the flat buffers, and makes AdamW's step there.
#pragma once

#include "train/gradients.h"
#include "train/optimizer.h"

namespace stagedtrain::train {

// Where nothing is shared, begin() and the gathers do nothing. Else only the own parts of a model's
// moments hold numbers from begin() to gather(), and on a CPU the memory of the others is given
// back. All calls but begin() are collective.
class OptimizerShards {
 public:
  // gradient and ranks must outlive it.
  OptimizerShards(StepGradient& gradient, dist::Ranks& ranks, bool shared)
      : gradient_(gradient), ranks_(ranks), shared_(shared && !ranks.alone()) {}

  // Whether ranks have gradients and moments of their own parts alone.
  bool shared() const { return shared_; }
  // Gives back what other ranks keep.
  void begin(model::Model& model);
  // Brings all moments to the first rank, or to all, for saving and growing.
  void gather_at_first(model::Model& model);
  void gather(model::Model& model);

  // The norm of the gradient that StepGradient has added up, the same to the bit however many ranks
  // share it: 0-dim, float64.
  at::Tensor norm(model::Model& model);
  // As Optimizer::step; then all ranks have all weights.
  void step(model::Model& model, Optimizer& optimizer, double lr, std::int64_t step,
            double gradient_factor);

 private:
  StepGradient& gradient_;
  dist::Ranks& ranks_;
  bool shared_;
};

}  // namespace stagedtrain::train
