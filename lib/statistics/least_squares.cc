// Minimizes Huber's loss of residuals by Levenberg-Marquardt, to the last digits of double
// precision.
#include "statistics/least_squares.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/signals.h"
#include "statistics/linear_solve.h"

namespace stagedtrain::scaling {
namespace {

// Huber's loss has no curvature beyond delta. This share of the weight is used there instead, so
// that the matrix stays regular where almost all residuals are beyond delta. The minimum does not
// change, because the gradient stays exact.
constexpr double kCurvatureBeyond = 0.02;
constexpr double kLargestDamping = 1e12;
// Residuals with this root mean square are rounding errors: nothing is left to fit.
constexpr double kRounding = 1e-13;

struct Place {
  std::vector<double> parameters, residuals, jacobian;
  double objective = 0;
};

void measure(const Residuals& f, double delta, Place& place) {
  f(place.parameters, place.residuals, place.jacobian);
  place.objective = 0;
  for (double r : place.residuals) place.objective += huber_loss(r, delta);
  for (double j : place.jacobian)
    if (!std::isfinite(j)) place.objective = std::numeric_limits<double>::infinity();
}

// The gradient and the matrix of the quadratic model at a place. `cosine` is
// LeastSquaresFit::gradient.
struct Normal {
  Eigen::VectorXd gradient, diagonal;
  Eigen::MatrixXd curvature;
  double cosine = 0;

  Normal(const Place& place, double delta) {
    using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto count = static_cast<Eigen::Index>(place.residuals.size());
    const Eigen::Map<const Eigen::ArrayXd> r(place.residuals.data(), count);
    const Eigen::Map<const Rows> J(place.jacobian.data(), count,
                                   static_cast<Eigen::Index>(place.parameters.size()));
    const Eigen::ArrayXd weights = (delta / r.abs()).min(1);
    const Eigen::ArrayXd curves = (weights < 1).select(kCurvatureBeyond * weights, 1);
    gradient = J.transpose() * (weights * r).matrix();
    diagonal = J.array().square().matrix().transpose() * weights.matrix();
    curvature = J.transpose() * curves.matrix().asDiagonal() * J;
    const double squares = (weights * r * r).sum();
    if (squares > kRounding * kRounding * static_cast<double>(count))
      for (Eigen::Index j = 0; j < gradient.size(); ++j)
        if (diagonal[j] > 0)
          cosine = std::max(cosine, std::fabs(gradient[j]) / std::sqrt(diagonal[j] * squares));
  }
};

// Returns the step for this damping, or nothing if the matrix is singular.
std::optional<Eigen::VectorXd> step_for(const Normal& normal, double damping) {
  Eigen::MatrixXd matrix = normal.curvature;
  matrix.diagonal() += damping * normal.diagonal;
  for (Eigen::Index j = 0; j < matrix.rows(); ++j)
    if (normal.diagonal[j] == 0) matrix(j, j) = 1;  // no residual depends on it: it stays
  return solve_positive(matrix, -normal.gradient);
}

// Returns the decrease of the objective that the quadratic model predicts for a step.
double promised(const Normal& normal, const Eigen::VectorXd& step) {
  return -step.dot(normal.gradient) - step.dot(normal.curvature * step) / 2;
}

// Whether `to` is better than `from`. Near the minimum the change of the objective is smaller than
// its rounding error; there the gradient decides.
bool better(const Place& from, const Place& to, double delta, const Normal& normal) {
  if (!std::isfinite(to.objective)) return false;
  const double rounding = 1e-13 * from.objective;
  if (to.objective < from.objective - rounding) return true;
  return to.objective <= from.objective + rounding && Normal(to, delta).cosine < normal.cosine;
}

}  // namespace

double huber_loss(double residual, double delta) {
  const double size = std::fabs(residual);
  return size <= delta ? residual * residual / 2 : delta * (size - delta / 2);
}

bool same_minimum(double objective, double best, std::size_t count) {
  return objective <= best * (1 + 1e-6) + 1e-20 * static_cast<double>(count);
}

LeastSquaresFit least_squares(const Residuals& residuals, std::size_t count,
                              std::vector<double> start, const LeastSquaresOptions& options) {
  const std::size_t n = start.size();
  ST_CHECK(n > 0 && count > 0 && options.huber > 0, "{} parameters, {} residuals", n, count);
  Place here{std::move(start), std::vector<double>(count), std::vector<double>(count * n)};
  measure(residuals, options.huber, here);
  if (!std::isfinite(here.objective))
    throw input_error(
        "the fit cannot start: it found values that overflow, expected the losses, steps and "
        "learning rates of a real run");
  Place there = here;
  Normal normal(here, options.huber);
  double damping = 1e-3;
  int steps = 0;
  while (normal.cosine > options.tolerance && steps < options.most_steps &&
         damping < kLargestDamping) {
    ++steps;
    stop_point("fitting");
    const std::optional<Eigen::VectorXd> step = step_for(normal, damping);
    if (!step) {
      damping *= 10;
      continue;
    }
    for (std::size_t j = 0; j < n; ++j)
      there.parameters[j] = here.parameters[j] + (*step)[static_cast<Eigen::Index>(j)];
    measure(residuals, options.huber, there);
    if (!better(here, there, options.huber, normal)) {
      damping *= 4;
      continue;
    }
    const double ratio = (here.objective - there.objective) / promised(normal, *step);
    damping *= ratio > 0.75 ? 0.1 : ratio < 0.25 ? 2 : 0.5;
    damping = std::max(damping, 1e-15);
    std::swap(here, there);
    normal = Normal(here, options.huber);
  }
  return {here.parameters, here.objective, normal.cosine, steps,
          normal.cosine <= options.tolerance};
}

}  // namespace stagedtrain::scaling
