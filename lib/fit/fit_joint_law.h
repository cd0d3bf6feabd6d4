// The joint law of logged runs, with intervals and what a reader must know.
#pragma once

#include "fit/curves.h"
#include "fit/fit_laws.h"

namespace stagedtrain::plan {

// Nothing if the logs are of fewer than two sizes. Adds to notes what was left out, that two sizes do
// not fix an exponent in the size, and where more runs would help.
std::optional<FittedJoint> fit_joint_law(const std::vector<LoggedCurve>& curves,
                                         const FitOptions& options,
                                         std::vector<std::string>& notes);

}  // namespace stagedtrain::plan
