// Declares the optimizer that a schedule names.
#pragma once

#include <optional>

#include "optim/adamw.h"
#include "optim/muon.h"
#include "schedule/schedule.h"

namespace stagedtrain::train {

class Optimizer {
 public:
  explicit Optimizer(const schedule::Schedule& schedule);

  // Makes step `step`, which counts from 1. lr is the learning rate of the curve. Weights, their
  // bfloat16 copy and moments change in place. Gradients are multiplied by gradient_factor before
  // the step, and set to zero after it.
  void step(model::ParamBuffer& params, double lr, std::int64_t step, double gradient_factor);

  // The options of AdamW, which runs alone or beside Muon.
  const AdamWOptions& adamw() const { return adamw_; }

 private:
  schedule::OptimizerSpec spec_;
  AdamWOptions adamw_;
  double adamw_share_;  // AdamW's learning rate beside Muon, as a share of the curve's
  std::optional<Muon> muon_;
};

}  // namespace stagedtrain::train
