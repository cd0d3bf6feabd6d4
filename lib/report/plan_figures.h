// What a plan's page draws. Losses and savings are the law's, under the assumption that each figure
// names.
#pragma once

#include <vector>

#include "report/figure.h"
#include "report/plan_picture.h"

namespace stagedtrain::report {

// Loss against compute: every size, the staged path with its growths, the run from scratch.
Figure path_figure(const PlanPicture& picture);
// For each growth of the path: what it saves against when it comes, with the range that keeps 95%.
std::vector<Figure> timing_figures(const PlanPicture& picture);
// What the plan's sizes save against the length of the run from scratch: floor and ceiling.
Figure length_figure(const PlanPicture& picture);
// The best saving of any sizes against the number of stages, what endlessly many save, and the
// plan.
Figure stages_figure(const PlanPicture& picture);
// The jobs one after the other, with the memory that each needs.
Figure jobs_figure(const PlanPicture& picture);

}  // namespace stagedtrain::report
