// The smaller models that growth operators can grow into a given one.
#pragma once

#include <vector>

#include "arch/cost.h"
#include "plan/planning_law.h"

namespace stagedtrain::plan {

struct Candidate {
  arch::ModelConfig model;
  arch::ParamCount params;
  double flops_per_token = 0;
  double parameters = 0;  // as the law counts them
};

// Models whose layers divide the final one's, and whose width, heads and ffn are its own divided by
// one number; cheapest first, the final model last.
std::vector<Candidate> candidates(const arch::ModelConfig& final_model, const PlanningLaw& law);

// Whether the operators width and depth lead from one to the other.
bool connected(const arch::ModelConfig& from, const arch::ModelConfig& to);
// The growth between two connected models, as a stage's `grow`.
Tree growth_between(const arch::ModelConfig& from, const arch::ModelConfig& to);

}  // namespace stagedtrain::plan
