// Puts a schedule's parameterization into its models, and says what it does.
#pragma once

#include <string>

#include "plan/run_plan.h"

namespace stagedtrain::plan {

// Returns the resolved model with the parameterization of the schedule, whose final_layers is that
// of the schedule's final model unless it is written. Throws as arch::resolved does.
arch::ModelConfig parameterized(const schedule::Schedule& schedule, arch::ModelConfig model);
// The same for a model that is written at `place`, whose path in the schedule ("stages.0.model")
// the message of an Error(usage) then begins with.
arch::ModelConfig parameterized_at(const Tree& place, const std::string& path,
                                   const schedule::Schedule& schedule,
                                   const arch::ModelConfig& model);
// Returns the schedule's model with other keys, written at `place`. If they make all layers run on
// all tokens, the schedule's other keys of routed layers do not count either.
arch::ModelConfig model_with_keys(const Tree& place, const std::string& path,
                                  const schedule::Schedule& schedule);

// Returns lines for the plan's table, or "" without a parameterization.
std::string parameterization_notes(const RunPlan& plan);

}  // namespace stagedtrain::plan
