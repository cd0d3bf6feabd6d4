// A plan, and a fit, as one HTML page.
#pragma once

#include "report/fit_figures.h"
#include "report/plan_picture.h"

namespace stagedtrain::report {

// text: what the terminal says of the plan, put at the end as it is. Runs gnuplot; throws
// Error(resource) where draw() does. The page needs nothing else.
std::string plan_page(const PlanPicture& picture, const std::string& text,
                      const std::string& gnuplot = "gnuplot");

// Each law fitted to what was logged here, with what the terminal says of the fit.
std::string fit_page(const plan::FittedLaws& laws, const plan::LoggedRuns& logged,
                     const std::string& text, const std::string& gnuplot = "gnuplot");

}  // namespace stagedtrain::report
