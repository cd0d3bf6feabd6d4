// Both sums in one walk over the steps.
#include "law/annealing.h"

#include <cmath>

namespace stagedtrain::law {

// The double sum of the paper, sum_i sum_{k<=i} (r_(k-1) - r_k) lambda^(i-k), with its inner sum
// carried along.
std::vector<double> annealing_areas(std::span<const double> rates, double lambda) {
  std::vector<double> areas(rates.size(), 0.0);
  std::size_t peak = 0;
  while (peak + 1 < rates.size() && rates[peak + 1] >= rates[peak]) ++peak;
  double momentum = 0, area = 0;
  for (std::size_t i = peak + 1; i < rates.size(); ++i) {
    momentum = lambda * momentum + (rates[i - 1] - rates[i]);
    areas[i] = area += momentum;
  }
  return areas;
}

std::vector<double> Annealing::losses(std::span<const double> rates) const {
  std::vector<double> losses = annealing_areas(rates, lambda);
  double sum = 0;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    sum += rates[i];
    losses[i] = L0 + A * std::pow(sum, -alpha) - C * losses[i];
  }
  return losses;
}

}  // namespace stagedtrain::law
