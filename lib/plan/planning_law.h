// The laws that a plan can be made with, by name.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "arch/cost.h"
#include "law/loss_law.h"

namespace stagedtrain::plan {

// How the loss of any size falls. Each law counts parameters in its own way.
struct PlanningLaw {
  std::string name, source;
  std::string end;  // what its losses are: "decayed ends", "a constant rate"
  double least_parameters = 0, most_parameters = 0;  // of the models that it was fitted to
  std::function<double(const arch::ParamCount&)> parameters;
  std::function<std::shared_ptr<const law::LossCurve>(double parameters)> curve;
};

// "besiroglu" (also "chinchilla"), "hoffmann" or "kaplan". Throws Error(usage) with the nearest.
PlanningLaw find_planning_law(const std::string& name);

// A law far outside of what it was fitted to can be plain nonsense. Throws Error(usage) if it sees
// the size end above the loss of a guess.
void refuse_nonsense(const PlanningLaw& law, const law::Size& size, const arch::ModelConfig& model,
                     double tokens);

}  // namespace stagedtrain::plan
