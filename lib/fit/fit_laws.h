// Which scaling laws fit the logged runs, and how certain are they?
#pragma once

#include <cstdint>

#include "fit/curves.h"
#include "fit/law_file.h"

namespace stagedtrain::plan {

struct FitOptions {
  double huber = 0;              // delta for ln(predicted / measured); 0: each law's own default
  std::size_t drop_highest = 0;  // how many finished runs of the highest losses are left out
  int resamples = 400;
  bool needs_floor = true;  // refuse a curve without a floor, which is valid only within its log
  std::uint64_t seed = 1;
};

// Fits the curve of one stage, with intervals from a bootstrap and refits to the first parts of the
// log. Throws Error(input) if the curve has fewer than 30 points near its peak rate, ends before
// three times its warm-up, does not fall, does not bend towards a floor (if needs_floor), or if the
// fit does not converge.
FittedCurve fit_logged_curve(const LoggedCurve& curve, const FitOptions& options);
// Fits Chinchilla's law to finished runs. Throws Error(input) as scaling::fit_chinchilla() does,
// and if the fit does not converge.
FittedChinchilla fit_logged_ends(const LoggedEnds& ends, const FitOptions& options);

// Fits everything that was logged. Finished runs of several files count as one set. Curves that
// cannot be fitted are named in the notes with the reason. If nothing can be fitted, throws the
// Error(input) of the first such curve; also throws if a CSV file has too few finished runs.
FittedLaws fit_laws(const LoggedRuns& logged, const FitOptions& options);

}  // namespace stagedtrain::plan
