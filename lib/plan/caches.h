// What this user's earlier runs and measurements left in the cache folder.
//
// A cache can be made again, so a damaged one must not stop a plan or a run: it is told once on
// stderr and counts as empty; whoever adds to it sets the damaged file aside first. A file that was
// named by hand (--measurements FILE) is refused if it is bad, as any other input.
#pragma once

#include "plan/learned.h"
#include "plan/measurements.h"
#include "plan/planning_law.h"
#include "plan/scores.h"

namespace stagedtrain::plan {

// given: the file that the command line names; empty: the cache's own.
Measurements known_measurements(const std::string& given = "");
Learned known_growths();
Scores known_scores();
// Like find_planning_law, with intervals widened by the scores of earlier runs.
PlanningLaw scored_law(const std::string& name);

// Adds to the cache files. Throws Error(resource) where they cannot be written.
void keep_measurements(const std::string& given, const std::vector<Measurement>& measured);
void keep_growths(const std::vector<LearnedGrowth>& growths);
void keep_scores(const std::vector<ScoredRun>& runs);

}  // namespace stagedtrain::plan
