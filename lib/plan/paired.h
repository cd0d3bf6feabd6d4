// Two runs at the same steps: both saw the same batches, so their losses' difference has little of
// the noise that each has.
#pragma once

#include <optional>
#include <vector>

#include "plan/curves.h"

namespace stagedtrain::plan {

struct PairedLosses {
  std::vector<double> steps, difference;  // a - b, by rising step
  std::size_t size() const { return steps.size(); }
};

// Pairs the lines that both logged at the same step and over as many steps; from <= step <= to.
PairedLosses paired_losses(const LoggedCurve& a, const LoggedCurve& b, double from, double to);
// The same of validation losses.
PairedLosses paired_evaluations(const runlog::Run& a, const runlog::Run& b, double from, double to);

// A mean with its standard error, from the means of at most eight blocks of neighbours, which may be
// correlated. step: the mean of the steps.
struct PairedMean {
  double step = 0, difference = 0, error = 0;
};
// Of the pairs from index `first` on; nothing for fewer than six.
std::optional<PairedMean> mean_of(const PairedLosses& pairs, std::size_t first = 0);

}  // namespace stagedtrain::plan
