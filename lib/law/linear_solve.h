// Small symmetric linear systems, solved in place.
#pragma once

#include <span>

namespace stagedtrain::law {

// Solves matrix x = rhs; x replaces rhs and the Cholesky factor the lower half of the matrix
// (row-major, rhs.size() squared). False, with both spoilt, if it is not positive definite.
bool solve_positive(std::span<double> matrix, std::span<double> rhs);

}  // namespace stagedtrain::law
