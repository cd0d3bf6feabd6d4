// Which non-negative coefficients fit a linear combination of columns best? The starts of the fits
// of laws need this for the constants that a law is linear in.
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::scaling {

struct NonNegativeFit {
  std::vector<double> coefficients;  // one for each column, 0 or more
  double squares = 0;                // the sum of squared differences
};

// Minimizes the squared differences between target and the sum of coefficient x column. The result
// is exact, because every set of columns is tried. Requires 1 to 4 columns of the target's length.
NonNegativeFit non_negative_fit(const std::vector<std::vector<double>>& columns,
                                std::span<const double> target);

}  // namespace stagedtrain::scaling
