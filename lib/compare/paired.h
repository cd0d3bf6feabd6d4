// Which seeds is a saving of? Runs are paired by seed, which also reduces standard errors.
#pragma once

#include "compare/comparison.h"

namespace stagedtrain::report {

// Runs with the same seed share their data order and validation noise, so the difference between a
// staged run and the scratch runs of its seed varies less over seeds than either loss does. If
// every seed of a staged run has its own scratch runs, this function computes the standard errors
// of the saving and the loss gap from the per-seed values, and sets CostResult::paired; likewise
// FreeSize::paired, if one size is the best for every seed. If the scratch runs have more seeds
// than the staged run, the values are also replaced by the means of the per-seed values. `means`
// averages the runs that `apart` keeps separate.
void pair_by_seed(Report& means, const Report& apart);

}  // namespace stagedtrain::report
