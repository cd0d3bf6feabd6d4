// What does the page of a plan show? Losses and savings are predicted by the scaling law, under the
// assumption that each figure names.
#pragma once

#include <vector>

#include "figures/figure.h"
#include "plan_report/plan_picture.h"

namespace stagedtrain::report {

// Draws loss against compute: every size, the staged path with its growths, and the run from
// scratch.
Figure path_figure(const PlanPicture& picture);
// Draws, for each growth of the path, what it saves depending on when it happens, with the range
// that keeps 95% of the best.
std::vector<Figure> timing_figures(const PlanPicture& picture);
// Draws what the plan's sizes save depending on the length of the scratch run: floor and ceiling.
Figure length_figure(const PlanPicture& picture);
// Draws the best saving for each number of stages, the limit of infinitely many stages, and the
// plan.
Figure stages_figure(const PlanPicture& picture);
// Draws the jobs one after another, with the memory that each needs.
Figure jobs_figure(const PlanPicture& picture);

}  // namespace stagedtrain::report
