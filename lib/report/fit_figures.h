// What a fit's page draws: data, law, what the law leaves, and how far it can be trusted.
#pragma once

#include <vector>

#include "plan/curves.h"
#include "plan/law_file.h"
#include "report/figure.h"

namespace stagedtrain::report {

// A fitted curve with its points and a forecast to three times its steps; and its residuals, with
// the refits to the first parts of the log and the bootstraps' 80%, all as parts of the fit.
std::vector<Figure> fit_figures(const plan::FittedCurve& fit, const plan::LoggedCurve& logged);
// Chinchilla's law with the finished runs that it was fitted to, and what it leaves of them.
std::vector<Figure> fit_figures(const plan::FittedChinchilla& fit,
                                const std::vector<law::RunPoint>& runs);

}  // namespace stagedtrain::report
