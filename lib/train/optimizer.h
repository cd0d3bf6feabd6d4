// The optimizer that a schedule names.
#pragma once

#include <optional>

#include "schedule/schedule.h"
#include "train/adamw.h"
#include "train/muon.h"

namespace stagedtrain::train {

class Optimizer {
 public:
  explicit Optimizer(const schedule::Schedule& schedule);

  // Makes step `step`, which counts from 1. lr is the learning rate of the curve. Weights, their
  // 16-bit copy and moments change in place; gradients are multiplied by gradient_factor first and
  // left at zero.
  void step(model::ParamBuffer& params, double lr, std::int64_t step, double gradient_factor);

  // Of AdamW, alone or beside Muon.
  const AdamWOptions& adamw() const { return adamw_; }

 private:
  schedule::OptimizerSpec spec_;
  AdamWOptions adamw_;
  double adamw_share_;  // of the curve's learning rate, beside Muon
  std::optional<Muon> muon_;
};

}  // namespace stagedtrain::train
