// Which smaller models can be grown into a given one, and by which operators?
#pragma once

#include <vector>

#include "arch/cost.h"
#include "fit/planning_law.h"

namespace stagedtrain::plan {

struct Candidate {
  arch::ModelConfig model;
  arch::ParamCount params;
  double flops_per_token = 0;
  double parameters = 0;  // counted as the law does (PlanningLaw::parameters)
};

// By which factor the ratio of width to depth may differ from the final model's. Laws count
// parameters and do not see shapes, so they overestimate shapes unlike those of their fit. Kaplan's
// runs lost 3% of the loss at about 10 times.
inline constexpr double kMostAspect = 4;
// The largest factor by which a growth may multiply the parameters without embeddings: doubled
// depth and doubled width together. Beyond 4 there is a warning (growth_warning()).
inline constexpr double kMostGrowthFactor = 8;

// Returns the models whose layers divide the final model's, and whose width, heads, kv_heads and
// ffn are the final model's divided by one number, in each context that the law has curves of, if
// it has several (up to the final model's): cheapest first, the final model last. Shapes beyond
// kMostAspect are left out, and for published laws that count embeddings also models of mostly
// embeddings (embedding_warning()). `notes`, if not null, gets a message with the number of each.
std::vector<Candidate> candidates(const arch::ModelConfig& final_model, const PlanningLaw& law,
                                  std::vector<std::string>* notes = nullptr);

// Adds a message that `count` sizes were left out, unless there are none.
void note_left_out(std::size_t count, const char* why, std::vector<std::string>& notes);

// Whether a plan may grow `from` into `to`: they are connected, and the factor is at most
// kMostGrowthFactor.
bool may_grow(const Candidate& from, const Candidate& to);
// Whether the operators width, depth and context lead from `from` to `to`.
bool connected(const arch::ModelConfig& from, const arch::ModelConfig& to);
// Returns the growth between two connected models, in the form of a stage's key `grow`.
Tree growth_between(const arch::ModelConfig& from, const arch::ModelConfig& to);

}  // namespace stagedtrain::plan
