// Solves non-negative least squares by trying every set of columns; three columns have only 8 sets.
#include "statistics/nnls.h"

#include <Eigen/QR>

#include "base/error.h"

namespace stagedtrain::scaling {
namespace {

// Fits the columns of a set (bit i stands for column i) without constraints. Returns false if a
// coefficient is negative or the columns are dependent.
bool fit_set(const Eigen::MatrixXd& columns, const Eigen::VectorXd& target, unsigned set,
             NonNegativeFit& fit) {
  std::vector<Eigen::Index> chosen;
  for (Eigen::Index i = 0; i < columns.cols(); ++i)
    if (set >> i & 1) chosen.push_back(i);
  const Eigen::MatrixXd some = columns(Eigen::all, chosen);
  const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> factor(some);
  if (factor.rank() < some.cols()) return false;
  const Eigen::VectorXd x = factor.solve(target);
  if (!(x.array() >= 0).all()) return false;
  fit.coefficients.assign(static_cast<std::size_t>(columns.cols()), 0);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    fit.coefficients[static_cast<std::size_t>(chosen[i])] = x[static_cast<Eigen::Index>(i)];
  fit.squares = (target - some * x).squaredNorm();
  return true;
}

}  // namespace

NonNegativeFit non_negative_fit(const std::vector<std::vector<double>>& columns,
                                std::span<const double> target) {
  ST_CHECK(!columns.empty() && columns.size() <= 4, "{} columns", columns.size());
  for (const auto& column : columns)
    ST_CHECK(column.size() == target.size(), "{} rows, expected {}", column.size(), target.size());
  const auto rows = static_cast<Eigen::Index>(target.size());
  const Eigen::Map<const Eigen::VectorXd> y(target.data(), rows);
  Eigen::MatrixXd all(rows, static_cast<Eigen::Index>(columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i)
    all.col(static_cast<Eigen::Index>(i)) =
        Eigen::Map<const Eigen::VectorXd>(columns[i].data(), rows);
  NonNegativeFit best{std::vector<double>(columns.size(), 0), y.squaredNorm()};
  for (unsigned set = 1; set < 1u << columns.size(); ++set) {
    NonNegativeFit fit;
    if (fit_set(all, y, set, fit) && fit.squares < best.squares) best = fit;
  }
  return best;
}

}  // namespace stagedtrain::scaling
