// Computes the mean and the variance of the Gaussian process of a law's misses.
#include "statistics/end_correction.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "statistics/linear_solve.h"

namespace stagedtrain::law {
namespace {

// Over these distances a miss changes: a factor of 8 in tokens, of 64 in parameters, and half of the
// way from a decay over the last fifth (a fall of 0.1) to one over the whole run (0.5).
constexpr double kTokens = 2.1, kParameters = 4.2, kFall = 0.2;
// A fit of few runs can believe that single runs hardly scatter. Ends of small runs that differ in
// their seed alone were seen to differ by .2 to 1%.
constexpr double kLeastScatter = 0.007;

double covariance(const RunShape& a, const RunShape& b) {
  const double tokens = std::log(a.tokens / b.tokens) / kTokens;
  const double parameters = std::log(a.parameters / b.parameters) / kParameters;
  const double fall = (a.fall - b.fall) / kFall;
  return std::exp(-(tokens * tokens + parameters * parameters + fall * fall) / 2);
}

}  // namespace

EndCorrection::EndCorrection(std::vector<RunShape> runs, double scatter)
    : runs_(std::move(runs)),
      noise_(std::pow(std::max(scatter, kLeastScatter) / kSpread, 2)) {}

EndCorrection::Weights EndCorrection::at(const RunShape& run) const {
  const std::size_t count = runs_.size();
  std::vector<double> matrix(count * count), near(count);
  for (std::size_t i = 0; i < count; ++i) {
    near[i] = covariance(runs_[i], run);
    for (std::size_t j = 0; j <= i; ++j)
      matrix[i * count + j] = covariance(runs_[i], runs_[j]) + (i == j ? noise_ : 0);
  }
  Weights weights{near, 1};
  if (count > 0)
    ST_CHECK(solve_positive(matrix, weights.of_runs), "{} runs", count);
  for (std::size_t i = 0; i < count; ++i) weights.unknown -= weights.of_runs[i] * near[i];
  weights.unknown = std::max(0.0, weights.unknown);
  return weights;
}

double corrected(const EndCorrection::Weights& weights, std::span<const double> misses) {
  double sum = 0;
  for (std::size_t i = 0; i < misses.size(); ++i) sum += weights.of_runs[i] * misses[i];
  return std::exp(sum);
}

}  // namespace stagedtrain::law
