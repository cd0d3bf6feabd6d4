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

// What may be a stage before the final model. Laws count parameters and know no shape, so a shape far
// from those that they were fitted to looks abler than it is. Depth to width may differ by so much
// from the final model's (Kaplan's runs lost 3% of the loss at about 10 times)...
inline constexpr double kMostAspect = 4;
// ... and a growth may multiply the parameters without embeddings by so much: a doubled depth and a
// doubled width together. Warned of beyond 4.
inline constexpr double kMostGrowthFactor = 8;

// Models whose layers divide the final one's, and whose width, heads and ffn are its own divided by
// one number; cheapest first, the final model last. Left out are shapes beyond kMostAspect, and for
// published laws that count embeddings, models that are mostly embeddings (embedding_strain()); the
// numbers of both are said in notes.
std::vector<Candidate> candidates(const arch::ModelConfig& final_model, const PlanningLaw& law,
                                  std::vector<std::string>* notes = nullptr);

// Whether a plan may grow one into the other: connected, and within kMostGrowthFactor.
bool may_grow(const Candidate& from, const Candidate& to);
// Whether the operators width and depth lead from one to the other.
bool connected(const arch::ModelConfig& from, const arch::ModelConfig& to);
// The growth between two connected models, as a stage's `grow`.
Tree growth_between(const arch::ModelConfig& from, const arch::ModelConfig& to);

}  // namespace stagedtrain::plan
