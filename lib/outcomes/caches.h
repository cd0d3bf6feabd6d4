// Which results of this user's earlier runs and measurements are in the cache folder?
//
// A cache can be created again, so a damaged one must not stop a plan or a run: it is reported once
// on stderr and counts as empty. Adding to it first renames the damaged file. A file that the user
// named (--measurements FILE) is refused with Error(input) if it is damaged, like any other input.
#pragma once

#include "cost/measurements.h"
#include "fit/planning_law.h"
#include "outcomes/growth_outcomes.h"
#include "outcomes/scores.h"

namespace stagedtrain::plan {

// `given` is the file that the command line names; empty means the one in the cache folder.
Measurements known_measurements(const std::string& given = "");
GrowthOutcomes known_growths();
Scores known_scores();
// Like find_planning_law, but with the widening of intervals that the scores of earlier runs ask
// for.
PlanningLaw scored_law(const std::string& name);

// Adds to the cache files. Throws Error(resource) if they cannot be written.
void keep_measurements(const std::string& given, const std::vector<Measurement>& measured);
void keep_growths(const std::vector<GrowthOutcome>& growths);
void keep_scores(const std::vector<ScoredRun>& runs);

}  // namespace stagedtrain::plan
