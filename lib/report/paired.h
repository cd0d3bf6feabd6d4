// Standard errors of savings from pairs of runs that share their seed.
#pragma once

#include "report/comparison.h"

namespace stagedtrain::report {

// Runs of one seed share their data order and the noise of their text, so what differs between a
// staged run and the scratch runs of its seed varies less over seeds than either loss does. Where
// every seed of a mean has its own scratch runs, the standard errors of its saving and loss gap
// become those of the values of single seeds, and MeasureResult::paired says so. `means` averages
// the runs that `apart` keeps apart.
void pair_by_seed(Report& means, const Report& apart);

}  // namespace stagedtrain::report
