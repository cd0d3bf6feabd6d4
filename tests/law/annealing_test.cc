// The annealing law's sums against their definition, and what it says of constant rates.
#include "law/annealing.h"

#include <cmath>

#include "support/catch.h"

using namespace stagedtrain::law;

TEST_CASE("the annealing area is the double sum of the paper") {
  std::vector<double> rates = {0.5, 1, 1};  // warm-up, peak
  for (int i = 0; i < 40; ++i) rates.push_back(1 - 0.02 * i);
  const double lambda = 0.9;
  const std::vector<double> areas = annealing_areas(rates, lambda);
  for (std::size_t s : {2, 10, 42}) {
    double area = 0;
    for (std::size_t i = 3; i <= s; ++i)
      for (std::size_t k = 3; k <= i; ++k)
        area += (rates[k - 1] - rates[k]) * std::pow(lambda, static_cast<double>(i - k));
    CHECK(areas[s] == Approx(area).margin(1e-12));
  }
}

TEST_CASE("warm-up and a constant rate leave the power law, a decay goes below it") {
  const Annealing law{2, 1, 0.5, 0.4, 0.99};
  std::vector<double> rates = {0.25, 0.5, 0.75};
  rates.resize(200, 1);
  const std::vector<double> constant = law.losses(rates);
  CHECK(constant[199] == Approx(2 + std::pow(1.5 + 197, -0.5)).epsilon(1e-14));
  for (std::size_t i = 150; i < 200; ++i) rates[i] = 1 - static_cast<double>(i - 149) / 50;
  const std::vector<double> decayed = law.losses(rates);
  CHECK(decayed[149] == constant[149]);
  CHECK(decayed[199] < constant[199]);
}
