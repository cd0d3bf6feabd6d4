// What a plan's page draws. Losses and savings are the law's, under the assumption that each figure
// names.
#pragma once

#include <optional>
#include <vector>

#include "plan/curves.h"
#include "plan/law_file.h"
#include "report/figure.h"
#include "report/plan_picture.h"

namespace stagedtrain::report {

// Loss against compute: every size, the staged path with its growths, the run from scratch.
Figure path_figure(const PlanPicture& picture);
// For each growth of the path: what it saves against when it comes, with the range that keeps 95%.
std::vector<Figure> timing_figures(const PlanPicture& picture);
// What is saved against the length of the run from scratch: floor and ceiling.
Figure length_figure(const PlanPicture& picture);
// The best saving against the number of stages, and what endlessly many save.
Figure stages_figure(const PlanPicture& picture);
// The jobs one after the other, with the memory that each needs.
Figure jobs_figure(const PlanPicture& picture);
// A fitted curve with its points and its refits to the first part of them, and the residuals.
std::vector<Figure> fit_figures(const plan::FittedCurve& fit, const plan::LoggedCurve& logged);

}  // namespace stagedtrain::report
