// Solves a small symmetric linear system, as the fits of laws need it.
#pragma once

#include <Eigen/Core>
#include <optional>

namespace stagedtrain::scaling {

// Returns x with matrix x = rhs, or nothing if the matrix is not positive definite to 14 digits.
// Only its lower half is read.
std::optional<Eigen::VectorXd> solve_positive(const Eigen::MatrixXd& matrix,
                                              const Eigen::VectorXd& rhs);

}  // namespace stagedtrain::scaling
