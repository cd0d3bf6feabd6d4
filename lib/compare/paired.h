// How does pairing runs by seed reduce the standard errors of savings?
#pragma once

#include "compare/comparison.h"

namespace stagedtrain::report {

// Runs with the same seed share their data order and validation noise, so the difference between a
// staged run and the scratch runs of its seed varies less over seeds than either loss does. If
// every seed of a mean has its own scratch runs, the standard errors of its saving and loss gap are
// computed from the per-seed values, and CostResult::paired is set. `means` averages the runs
// that `apart` keeps separate.
void pair_by_seed(Report& means, const Report& apart);

}  // namespace stagedtrain::report
