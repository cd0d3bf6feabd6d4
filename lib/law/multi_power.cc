// The sum over all changes of the rate, for every step that is asked for.
#include "law/multi_power.h"

#include <cmath>

#include "base/error.h"

namespace stagedtrain::law {

std::vector<double> MultiPower::losses(std::span<const double> rates,
                                       std::span<const std::size_t> steps) const {
  std::vector<double> sums;
  double sum = 0;
  for (double rate : rates) sums.push_back(sum += rate);
  std::vector<double> losses;
  for (std::size_t s : steps) {
    ST_CHECK(s < rates.size(), "step {} of {}", s, rates.size());
    double drop = 0;
    for (std::size_t k = 1; k <= s; ++k) {
      const double change = rates[k] - rates[k - 1];
      if (change == 0) continue;
      const double spent = C * std::pow(rates[k], -gamma) * (sums[s] - sums[k - 1]);
      drop += change * (1 - std::pow(1 + spent, -beta));
    }
    losses.push_back(L0 + A * std::pow(sums[s], -alpha) + B * drop);
  }
  return losses;
}

}  // namespace stagedtrain::law
