// How does a plan, or a fitted scaling law, become one HTML page?
#pragma once

#include "plan_report/fit_figures.h"
#include "plan_report/plan_picture.h"

namespace stagedtrain::report {

// Returns the self-contained page of a plan. `text` is the terminal's output for the plan, appended
// verbatim. Runs gnuplot, so it throws Error(resource) as draw() does.
std::string plan_page(const PlanPicture& picture, const std::string& text,
                      const std::string& gnuplot = "gnuplot");

// Returns the page of all fitted laws and the logged data, with the terminal's output for the fit.
std::string fit_page(const plan::FittedLaws& laws, const plan::LoggedRuns& logged,
                     const std::string& text, const std::string& gnuplot = "gnuplot");

}  // namespace stagedtrain::report
