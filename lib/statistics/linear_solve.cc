// Solves small positive definite systems by Eigen's Cholesky factorization. Eigen itself accepts
// pivots of any positive size, and so takes the rounding error of a singular matrix for its value.
#include "statistics/linear_solve.h"

#include <Eigen/Cholesky>

#include "base/error.h"

namespace stagedtrain::scaling {

std::optional<Eigen::VectorXd> solve_positive(const Eigen::MatrixXd& matrix,
                                              const Eigen::VectorXd& rhs) {
  ST_CHECK(matrix.rows() == rhs.size() && matrix.cols() == rhs.size(),
           "a matrix of {} x {} for {} unknowns", matrix.rows(), matrix.cols(), rhs.size());
  const Eigen::LLT<Eigen::MatrixXd> factor(matrix);
  if (factor.info() != Eigen::Success) return {};
  const auto pivots = factor.matrixLLT().diagonal().array().square();
  if (!(pivots > 1e-14 * matrix.diagonal().array()).all()) return {};  // also refuses NaN
  return factor.solve(rhs);
}

}  // namespace stagedtrain::scaling
