// How far do laws that are fitted to the smaller sizes of some runs miss the larger ones?
#pragma once

#include "statistics/discrepancy.h"
#include "statistics/fit_chinchilla.h"
#include "statistics/fit_joint.h"

namespace stagedtrain::scaling {

// Returns one tilt for each of the shares .2, .4, .6 and .8 of the runs, smallest first, that is
// large enough to fit Chinchilla's law and to estimate the noise around it.
std::vector<Tilt> held_out_tilts(std::span<const RunPoint> points, double huber, std::uint64_t seed);

// Returns one tilt for each size except the two smallest ones, that of the joint law of the sizes
// below it. Runs are judged by their last fifth.
std::vector<Tilt> held_out_tilts(std::span<const JointRun> runs, JointFitOptions options);

}  // namespace stagedtrain::scaling
