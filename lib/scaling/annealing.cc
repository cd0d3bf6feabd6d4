// Computes annealing areas in one walk over the steps.
#include "scaling/annealing.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stagedtrain::scaling {
namespace {

constexpr std::size_t kFewest = 6;
constexpr double kExponent = 0.3;  // larger ones fitted byte models worse
constexpr double kComesDown = 0.5, kFalls = 0.98;

// (1 + u)^-0.3 is the mean of exp(-s u) over a gamma distribution of s. With a few values of s the
// sum over all falls becomes a few running sums, in one walk over the steps. The values are evenly
// spaced in ln s, where the trapezoidal rule is accurate to 1e-4 for u up to 1e4.
struct Decays {
  std::vector<double> rates, weights;
  Decays() {
    // Values of s below the lowest one decay too slowly to matter.
    double sum = std::exp(kExponent * (kLowest - kSpacing / 2)) / kExponent / kSpacing;
    rates.push_back(0);
    weights.push_back(sum);
    for (double at = kLowest; at <= kHighest; at += kSpacing) {
      rates.push_back(std::exp(at));
      weights.push_back(std::pow(rates.back(), kExponent) * std::exp(-rates.back()));
      sum += weights.back();
    }
    for (double& weight : weights) weight /= sum;
  }

 private:
  static constexpr double kLowest = -16, kHighest = 2.5, kSpacing = 0.75;
};

}  // namespace

std::vector<double> annealing_areas(std::span<const double> rates, const RateResponse& response) {
  static const Decays decays;
  std::vector<double> areas(rates.size(), 0.0), remaining(decays.rates.size(), 0.0);
  std::size_t peak = 0;
  while (peak + 1 < rates.size() && rates[peak + 1] >= rates[peak]) ++peak;
  double falls = 0;
  for (std::size_t i = peak + 1; i < rates.size(); ++i) {
    const double fall = rates[i - 1] - rates[i];
    falls += fall;
    if (falls == 0 && fall == 0) continue;  // still at the peak
    areas[i] = falls;
    const double spent = response.relaxation * std::pow(rates[i], response.rate_exponent);
    for (std::size_t j = 0; j < remaining.size(); ++j) {
      remaining[j] = (remaining[j] + fall) * std::exp(-decays.rates[j] * spent);
      areas[i] -= decays.weights[j] * remaining[j];
    }
  }
  return areas;
}

std::vector<double> rates_of(std::span<const LoggedStep> steps, double begin) {
  double peak = 0;
  for (const LoggedStep& s : steps) peak = std::max(peak, s.rate);
  std::vector<double> rates;
  LoggedStep last{begin, 0, 0};
  for (const LoggedStep& s : steps) {
    const auto count = std::llround(s.step - last.step);
    for (std::int64_t i = 1; i <= count; ++i) {
      const double part = static_cast<double>(i) / static_cast<double>(count);
      rates.push_back((last.rate + part * (s.rate - last.rate)) / peak);
    }
    last = s;
  }
  return rates;
}

double annealing_strength(const StageCurve& curve, std::span<const LoggedStep> steps,
                          double begin) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> rates = rates_of(steps, begin);
  if (rates.empty() || rates.back() > kComesDown) return kNone;
  const std::vector<double> areas = annealing_areas(rates), spent = learning_spent(rates, 1);
  double products = 0, squares = 0;
  std::size_t points = 0;
  for (const LoggedStep& s : steps) {
    const std::int64_t at = std::llround(s.step - (s.steps - 1) / 2 - begin) - 1;
    if (at < 0 || at >= static_cast<std::int64_t>(rates.size())) continue;
    const auto i = static_cast<std::size_t>(at);
    if (areas[i] <= 0 || rates[i] > kFalls) continue;
    products += (curve.loss(spent[i]) - s.loss) * areas[i];
    squares += areas[i] * areas[i];
    ++points;
  }
  return points >= kFewest && products > 0 ? products / squares : kNone;
}

}  // namespace stagedtrain::scaling
