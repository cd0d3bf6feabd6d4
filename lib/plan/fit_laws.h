// Fits laws to what was logged, with intervals, prefix refits and the reasons for refusing.
#pragma once

#include <cstdint>

#include "plan/curves.h"
#include "plan/law_file.h"

namespace stagedtrain::plan {

struct FitOptions {
  double huber = 0;              // of ln(predicted / measured); 0: each law's own default
  std::size_t drop_highest = 0;  // finished runs of the highest losses that are left out
  int resamples = 400;
  bool needs_floor = true;  // without one a curve tells what lies within its log, and no more
  std::uint64_t seed = 1;
};

// Throws Error(input) if the curve has fewer than 30 points near its peak rate, ends before three
// times its warm-up, or does not bend towards a floor.
FittedCurve fit_logged_curve(const LoggedCurve& curve, const FitOptions& options);
FittedChinchilla fit_logged_ends(const LoggedEnds& ends, const FitOptions& options);

// Everything that was logged; finished runs of several files count as one set. A stage that cannot
// be fitted is named in the notes, with the reason; throws its Error if nothing can be.
FittedLaws fit_laws(const LoggedRuns& logged, const FitOptions& options);

}  // namespace stagedtrain::plan
