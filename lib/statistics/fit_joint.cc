// Repeats a descent as noise and scatter become known, and draws samples around its end.
#include "statistics/fit_joint.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "scaling/curve_points.h"
#include "statistics/least_squares.h"

namespace stagedtrain::scaling {
namespace {

constexpr std::size_t kGap = kJointParameters, kShared = kGap + 1;  // then one offset per run
constexpr double kHuber = 2;        // in units of the noise
constexpr double kLeastNoise = 5e-4, kFirstNoise = 5e-3;
constexpr double kMostCorrelation = 0.95;
constexpr int kRounds = 5;
// Bounds LeastSquaresFit::gradient. At 1e-3 the flattest directions have hardly moved, and the
// intervals of two sizes are a third too narrow.
constexpr double kSampleTolerance = 1e-6;

struct Prior {
  double mean, spread;
};

// The runs, the law's units, the priors, and the present estimates of noise and scatter.
struct Problem {
  std::span<const JointRun> runs;
  JointLaw units;
  std::array<Prior, kShared> priors{};
  JointNoise training{kFirstNoise, 0}, validation{kFirstNoise, 0};
  double scatter = kPriorScatter;
  std::size_t points = 0;
  bool has_validation = false, decayed = false;

  Problem(std::span<const JointRun> given, const JointFitOptions& options);
  std::size_t parameters() const { return kShared + runs.size(); }
  std::size_t residuals() const { return points + parameters(); }
  double noise(const JointPoint& point) const {
    const JointNoise& n = point.training ? training : validation;
    return n.deviation * std::sqrt((1 + n.correlation) / (1 - n.correlation));
  }
  bool shifted(const JointPoint& point) const { return point.training && has_validation; }
};

Problem::Problem(std::span<const JointRun> given, const JointFitOptions& options) : runs(given) {
  double sizes = 0, tokens = 0, least = 0, area = 0;
  std::set<double> different;
  for (const JointRun& run : runs) {
    different.insert(run.parameters);
    for (const JointPoint& point : run.points) {
      sizes += std::log(run.parameters);
      tokens += std::log(point.x);
      least = least > 0 ? std::min(least, point.loss) : point.loss;
      area = std::max(area, point.area);
      has_validation |= !point.training;
      ++points;
    }
  }
  ST_CHECK(different.size() >= 2 && points >= 5, "{} sizes, {} points", different.size(), points);
  decayed = area > 0;
  units.response = options.response;
  units.size = std::exp(sizes / static_cast<double>(points));
  units.tokens = std::exp(tokens / static_cast<double>(points));
  const double spread = options.offset_spread > 0 ? options.offset_spread / units.tokens : 0.1;
  const double gain = 0.03 * least / std::max(area, 1.0);
  // E, A and B are of the order of the loss, and the decay gains a few hundredths of it. Known well
  // beforehand are a (see the header), b, and how little B and C change with size.
  priors = {{{std::log(0.6 * least), 0.5},
             {std::log(0.3 * least), 1.5},
             {std::log(kPriorExponent), kPriorExponentSpread},
             {std::log(0.2 * least), 1.5},
             {std::log(0.4), 0.4},
             {0, 0.1},
             {std::log(gain), 1},
             {std::log(1.15) / std::log(4.0), 0.1},
             {0, spread},
             {0, 0.1}}};
}

void residuals_at(const Problem& problem, std::span<const double> p, std::span<double> r,
                  std::span<double> J) {
  const std::size_t width = problem.parameters();
  std::ranges::fill(J, 0.0);
  const JointLaw law = joint_law(p, problem.units);
  std::size_t row = 0;
  for (std::size_t k = 0; k < problem.runs.size(); ++k)
    for (const JointPoint& point : problem.runs[k].points) {
      const double parameters = problem.runs[k].parameters, noise = problem.noise(point);
      const double loss = law.loss(parameters, point.x, point.area);
      const JointParameters slope = joint_gradient(law, parameters, point.x, point.area);
      double* const line = &J[row * width];
      for (std::size_t j = 0; j < kJointParameters; ++j) line[j] = slope[j] / loss / noise;
      if (problem.shifted(point)) line[kGap] = 1 / noise;
      line[kShared + k] = 1 / noise;
      r[row++] = (std::log(loss / point.loss) + line[kGap] * noise * p[kGap] + p[kShared + k]) / noise;
    }
  for (std::size_t j = 0; j < width; ++j, ++row) {
    const Prior prior = j < kShared ? problem.priors[j] : Prior{0, problem.scatter};
    r[row] = (p[j] - prior.mean) / prior.spread;
    J[row * width + j] = 1 / prior.spread;
  }
}

// The end of a descent: its residuals, their weighted Jacobian, and the covariance of the
// parameters.
struct End {
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  std::vector<double> residuals;
  Rows jacobian;
  Eigen::MatrixXd covariance;

  End(const Problem& problem, std::span<const double> p)
      : residuals(problem.residuals()),
        jacobian(static_cast<Eigen::Index>(problem.residuals()),
                 static_cast<Eigen::Index>(problem.parameters())) {
    residuals_at(problem, p, residuals,
                 {jacobian.data(), static_cast<std::size_t>(jacobian.size())});
    const Eigen::Map<const Eigen::ArrayXd> r(residuals.data(), jacobian.rows());
    jacobian.array().colwise() *= (kHuber / r.abs()).min(1).sqrt();
    const Eigen::LLT<Eigen::MatrixXd> factor(jacobian.transpose() * jacobian);
    ST_CHECK(factor.info() == Eigen::Success, "priors on all parameters, yet a singular curvature");
    covariance = factor.solve(Eigen::MatrixXd::Identity(jacobian.cols(), jacobian.cols()));
  }
  double variance(std::size_t parameter) const {
    const auto at = static_cast<Eigen::Index>(parameter);
    return covariance(at, at);
  }
  // Returns how many degrees of freedom of the fit this residual determines.
  double leverage(std::size_t i) const {
    const auto row = jacobian.row(static_cast<Eigen::Index>(i));
    return (row * covariance).dot(row);
  }
};

// Returns the robust deviation of one class of residuals and the correlation of neighbours. The
// deviation is scaled up by what the fit took, because offsets and exponents follow the few
// validation losses closely.
JointNoise noise_of(const Problem& problem, const End& end, bool training) {
  std::vector<double> all;
  double products = 0, squares = 0, taken = 0;
  std::size_t row = 0;
  for (const JointRun& run : problem.runs) {
    double last = 0;
    for (const JointPoint& point : run.points) {
      const double r = end.residuals[row] * problem.noise(point);
      const std::size_t at = row++;
      if (point.training != training) continue;
      taken += end.leverage(at);
      all.push_back(r);
      const double bound = kHuber * (training ? problem.training : problem.validation).deviation;
      const double kept = std::clamp(r, -bound, bound);
      products += last * kept;
      squares += kept * kept;
      last = kept;
    }
  }
  if (all.empty()) return {kFirstNoise, 0};
  const auto count = static_cast<double>(all.size());
  const double given_back = std::sqrt(count / std::max(count - taken, 0.25 * count));
  return {std::max(kLeastNoise, given_back * robust_deviation(all)),
          squares > 0 ? std::clamp(products / squares, 0.0, kMostCorrelation) : 0};
}

// Takes one step of expectation maximisation: the squares of offsets include their uncertainty.
void learn_scatter(const End& end, std::span<const double> p, Problem& problem, JointFit& fit) {
  double squares = kPriorScatterFreedom * kPriorScatter * kPriorScatter, known = 0;
  for (std::size_t k = kShared; k < problem.parameters(); ++k) {
    const double variance = end.variance(k);
    squares += p[k] * p[k] + variance;
    known += std::max(0.0, 1 - variance / (problem.scatter * problem.scatter));
  }
  const auto runs = static_cast<double>(problem.runs.size());
  problem.scatter = std::sqrt(squares / (kPriorScatterFreedom + runs));
  fit.freedom = kPriorScatterFreedom + known;
}

// Fits again with noise on every residual, those of the priors included. For a linear law the
// results would be exact draws from the posterior; for this law they nearly are.
void draw_samples(std::span<const double> p, const Problem& problem, const JointFitOptions& options,
                  JointFit& fit) {
  const std::size_t first_offset = problem.points + kShared;
  for (int s = 0; s < options.resamples; ++s) {
    const CounterRng rng(options.seed, static_cast<std::uint64_t>(s));
    std::vector<double> noise(problem.residuals());
    for (std::size_t i = 0; i < noise.size(); ++i)
      noise[i] = (i < first_offset ? 1 : student_widening(fit.freedom)) * rng.normal(i);
    const auto noisy = [&](auto q, auto r, auto J) {
      residuals_at(problem, q, r, J);
      for (std::size_t i = 0; i < noise.size(); ++i) r[i] += noise[i];
    };
    const LeastSquaresFit descent =
        least_squares(noisy, problem.residuals(), {p.begin(), p.end()},
                      {.huber = kHuber, .tolerance = kSampleTolerance});
    fit.samples.push_back(joint_law(descent.parameters, problem.units));
    if (!problem.decayed) fit.samples.back().C = 0;
  }
}

// The residuals of the objective are in units of the noise, so the logarithm of the noise is added.
double misfit_of(const Problem& problem, double objective) {
  double sum = objective + static_cast<double>(problem.runs.size()) * std::log(problem.scatter);
  for (const JointRun& run : problem.runs)
    for (const JointPoint& point : run.points) {
      const JointNoise& n = point.training ? problem.training : problem.validation;
      sum += (1 - n.correlation) / (1 + n.correlation) * std::log(n.deviation);
    }
  return sum;
}

std::vector<double> start_of(const Problem& problem) {
  std::vector<double> start(problem.parameters(), 0.0);
  for (std::size_t j = 0; j < kShared; ++j) start[j] = problem.priors[j].mean;
  return start;
}

}  // namespace

double student_widening(double freedom) { return 1 + 0.66 / freedom; }

JointFit fit_joint(std::span<const JointRun> runs, const JointFitOptions& options) {
  Problem problem(runs, options);
  JointFit fit;
  std::vector<double> p = start_of(problem);
  LeastSquaresFit descent;
  for (int round = 0; round < kRounds; ++round) {
    descent = least_squares([&](auto q, auto r, auto J) { residuals_at(problem, q, r, J); },
                            problem.residuals(), p, {.huber = kHuber, .tolerance = 1e-8});
    p = descent.parameters;
    if (round + 1 == kRounds) break;
    const End end(problem, p);
    const JointNoise training = noise_of(problem, end, true);
    problem.validation = noise_of(problem, end, false);
    problem.training = training;
    learn_scatter(end, p, problem, fit);
  }
  draw_samples(p, problem, options, fit);
  fit.law = joint_law(p, problem.units);
  if (!problem.decayed) fit.law.C = 0;
  fit.scatter = problem.scatter;
  fit.gap = p[kGap];
  fit.training = problem.training;
  fit.validation = problem.validation;
  fit.decayed = problem.decayed;
  fit.points = problem.points;
  std::set<double> sizes;
  for (const JointRun& run : runs) sizes.insert(run.parameters);
  fit.sizes = sizes.size();
  fit.objective = descent.objective;
  fit.gradient = descent.gradient;
  fit.misfit = misfit_of(problem, descent.objective);
  fit.converged = descent.converged;
  return fit;
}

}  // namespace stagedtrain::scaling
