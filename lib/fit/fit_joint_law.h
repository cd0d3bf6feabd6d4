// Which joint law fits logged runs of several sizes, and what must a reader know about it?
#pragma once

#include "fit/curves.h"
#include "fit/fit_laws.h"

namespace stagedtrain::plan {

// Fits the joint law, with intervals. Returns nothing if the logs are of fewer than two sizes. Adds
// notes about what was left out, about exponents that two sizes do not determine, and about where
// more runs would help.
std::optional<FittedJoint> fit_joint_law(const std::vector<LoggedCurve>& curves,
                                         const FitOptions& options,
                                         std::vector<std::string>& notes);

}  // namespace stagedtrain::plan
