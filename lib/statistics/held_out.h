// Laws of the smaller sizes of some runs, and how they miss the larger ones.
#pragma once

#include "statistics/discrepancy.h"
#include "statistics/fit_chinchilla.h"
#include "statistics/fit_joint.h"

namespace stagedtrain::law {

// One tilt for each of the shares .2, .4, .6 and .8 of the runs, smallest first, that is enough for a
// fit of Chinchilla's law of its own, with a degree of freedom to tell the noise by.
std::vector<Tilt> held_out_tilts(std::span<const RunPoint> points, double huber, std::uint64_t seed);

// One tilt for each size but the two smallest ones: of the joint law of the sizes below it. Runs are
// judged by their last fifth.
std::vector<Tilt> held_out_tilts(std::span<const JointRun> runs, JointFitOptions options);

}  // namespace stagedtrain::law
