// The mean of a few numbers, and how far it may be off.
#pragma once

#include <cmath>
#include <limits>
#include <span>

namespace stagedtrain {

// The standard error of the mean; NaN for fewer than two values.
struct Mean {
  double value = 0, error = std::numeric_limits<double>::quiet_NaN();
};

inline Mean mean_of(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  Mean mean;
  double squares = 0;
  for (const double value : values) mean.value += value / n;
  for (const double value : values) squares += (value - mean.value) * (value - mean.value);
  if (values.size() > 1) mean.error = std::sqrt(squares / (n - 1) / n);
  return mean;
}

}  // namespace stagedtrain
