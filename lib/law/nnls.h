// Linear least squares with coefficients that are not negative: the linear part of a law.
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::law {

struct NonNegativeFit {
  std::vector<double> coefficients;  // one for each column, 0 or more
  double squares = 0;                // sum of squared differences
};

// The best target ~ sum of coefficient x column, by trying every set of columns: exact, for at most
// four. Requires columns of the target's length.
NonNegativeFit non_negative_fit(const std::vector<std::vector<double>>& columns,
                                std::span<const double> target);

}  // namespace stagedtrain::law
