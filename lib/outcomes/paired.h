// By how much do the losses of two runs differ at equal steps? Both saw the same batches there, so
// the difference has much less noise than each loss.
#pragma once

#include <optional>
#include <vector>

#include "fit/curves.h"

namespace stagedtrain::plan {

struct PairedLosses {
  std::vector<double> steps, difference;  // loss of a - loss of b in nats, by rising step
  std::size_t size() const { return steps.size(); }
};

// Pairs the lines that both runs logged at the same step, as means over equally many steps, with
// from <= step <= to.
PairedLosses paired_losses(const LoggedCurve& a, const LoggedCurve& b, double from, double to);
// The same for validation losses.
PairedLosses paired_evaluations(const runlog::Run& a, const runlog::Run& b, double from, double to);

// A mean difference with its standard error, computed from the means of at most eight blocks of
// neighbours, since neighbours may be correlated. `step` is the mean of the steps.
struct PairedMean {
  double step = 0, difference = 0, error = 0;
};
// Averages the pairs from index `first` on. Returns nothing for fewer than six pairs.
std::optional<PairedMean> mean_of(const PairedLosses& pairs, std::size_t first = 0);

}  // namespace stagedtrain::plan
