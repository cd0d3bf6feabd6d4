// What does the page of a fit show? Data, fitted law, residuals, and how far the fit can be
// trusted.
#pragma once

#include <vector>

#include "figures/figure.h"
#include "fit/curves.h"
#include "fit/law_file.h"

namespace stagedtrain::report {

// Draws the fitted curve with its points and a forecast to three times the fitted steps, and the
// residuals with the refits to the first parts of the log and the 80% range of the bootstraps, in
// percent of the fit.
std::vector<Figure> fit_figures(const plan::FittedCurve& fit, const plan::LoggedCurve& logged);
// Draws the Chinchilla law with the finished runs that it was fitted to, and its residuals.
std::vector<Figure> fit_figures(const plan::FittedChinchilla& fit,
                                const std::vector<scaling::RunPoint>& runs);

}  // namespace stagedtrain::report
