// Computes tilts by robust regression through the origin, and their spread by its posterior on a
// grid.
#include "statistics/discrepancy.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"

namespace stagedtrain::scaling {
namespace {

constexpr double kHuber = 2;
constexpr int kRounds = 30;
constexpr std::size_t kGrid = 400;
constexpr double kGridEnd = 6 * kPriorTilt;
constexpr double kVote = 0.5;  // weight of a tilt, since laws share runs

// Returns the weight of each run: the tilt is the sum of the runs' errors times these weights.
std::vector<double> weights_of(std::span<const HeldOutRun> runs, double scatter) {
  std::vector<double> weights(runs.size());
  double tilt = 0;
  for (int round = 0; round < kRounds; ++round) {
    double squares = 0, next = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const auto& [distance, error, samples] = runs[i];
      const double far = std::fabs(error - tilt * distance) / (kHuber * scatter);
      weights[i] = distance / std::max(1.0, far);
      squares += weights[i] * distance;
    }
    for (std::size_t i = 0; i < runs.size(); ++i) next += (weights[i] /= squares) * runs[i].error;
    tilt = next;
  }
  return weights;
}

// Returns the cumulative posterior of the spread over the grid's cells, evaluated at their middles.
std::vector<double> spread_posterior(std::span<const Tilt> tilts) {
  std::vector<double> logs(kGrid);
  for (std::size_t i = 0; i < kGrid; ++i) {
    const double spread = kGridEnd * (static_cast<double>(i) + 0.5) / kGrid;
    logs[i] = -std::pow(spread / kPriorTilt, 2) / 2;
    for (const Tilt& tilt : tilts) {
      const double variance = spread * spread + tilt.error * tilt.error;
      logs[i] -= kVote * (std::log(variance) + tilt.value * tilt.value / variance) / 2;
    }
  }
  const double most = *std::ranges::max_element(logs);
  double sum = 0;
  for (double& value : logs) value = sum += std::exp(value - most);
  for (double& value : logs) value /= sum;
  return logs;
}

}  // namespace

Tilt tilt_of(std::span<const HeldOutRun> runs, double scatter) {
  ST_CHECK(!runs.empty() && runs[0].samples.size() >= 2 && scatter > 0, "{} runs, scatter {}",
           runs.size(), scatter);
  const std::vector<double> weights = weights_of(runs, scatter);
  Tilt tilt;
  double noise = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    tilt.value += weights[i] * runs[i].error;
    noise += std::pow(weights[i] * scatter, 2);
  }
  const auto count = static_cast<double>(runs[0].samples.size());
  double sum = 0, squares = 0;
  for (std::size_t s = 0; s < runs[0].samples.size(); ++s) {
    double sample = 0;
    for (std::size_t i = 0; i < runs.size(); ++i) sample += weights[i] * runs[i].samples[s];
    sum += sample;
    squares += sample * sample;
  }
  tilt.error = std::sqrt(noise + std::max(0.0, squares - sum * sum / count) / (count - 1));
  return tilt;
}

std::vector<double> tilt_draws(std::span<const Tilt> tilts, std::size_t count, std::uint64_t seed) {
  const std::vector<double> posterior = spread_posterior(tilts);
  const CounterRng rng(seed, hash_name("tilts"));
  std::vector<double> draws;
  for (std::size_t i = 0; i < count; ++i) {
    const auto cell = std::ranges::lower_bound(posterior, rng.uniform(3 * i)) - posterior.begin();
    const double spread = kGridEnd * (static_cast<double>(cell) + 0.5) / kGrid;
    draws.push_back(spread * rng.normal(count * 3 + i));
  }
  return draws;
}

double tilt_factor(double tilt, double parameters, double largest) {
  return std::exp(tilt * std::max(0.0, std::log(parameters / largest)));
}

}  // namespace stagedtrain::scaling
