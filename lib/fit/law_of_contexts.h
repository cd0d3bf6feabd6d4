// How is one law made of several, each fitted to runs of another context?
#pragma once

#include <vector>

#include "fit/planning_law.h"

namespace stagedtrain::plan {

// Returns the law of the longest context, with the curves of all contexts beside it (by_context).
// With it `plan --optimize` also chooses the context of each stage ("Navigating Scaling Laws",
// arXiv 2311.03233: train on short sequences first, and switch where the curve of longer ones pays
// more). Losses are those of each model in its own context. Throws Error(usage) for a law without a
// known context, for two of the same, for laws of different ends (PlanningLaw::end), and for laws
// whose runs otherwise differ (data, vocabulary, architecture, optimizer, parameterization, peak
// learning rate).
PlanningLaw law_of_contexts(std::vector<PlanningLaw> laws);

// The same for names of law files, separated by commas.
PlanningLaw find_law_of_contexts(const std::string& names);

}  // namespace stagedtrain::plan
