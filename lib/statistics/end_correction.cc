// Computes the mean and the variance of the Gaussian process of a law's misses.
#include "statistics/end_correction.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace stagedtrain::scaling {
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
  const auto count = static_cast<Eigen::Index>(runs_.size());
  const auto all = std::span(runs_);
  const auto made = [&](Eigen::Index i, Eigen::Index j) {
    return covariance(all[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(j)]);
  };
  Eigen::MatrixXd matrix = Eigen::MatrixXd::NullaryExpr(count, count, made);
  matrix.diagonal().array() += noise_;
  const Eigen::VectorXd near = Eigen::VectorXd::NullaryExpr(
      count, [&](Eigen::Index i) { return covariance(all[static_cast<std::size_t>(i)], run); });
  const Eigen::VectorXd of_runs = Eigen::LLT<Eigen::MatrixXd>(matrix).solve(near);
  return {{of_runs.begin(), of_runs.end()}, std::max(0.0, 1 - of_runs.dot(near))};
}

double corrected(const EndCorrection::Weights& weights, std::span<const double> misses) {
  double sum = 0;
  for (std::size_t i = 0; i < misses.size(); ++i) sum += weights.of_runs[i] * misses[i];
  return std::exp(sum);
}

}  // namespace stagedtrain::scaling
