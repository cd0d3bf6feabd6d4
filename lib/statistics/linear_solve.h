// Solves a small symmetric linear system in place, as the fits of laws need it.
#pragma once

#include <span>

namespace stagedtrain::law {

// Solves matrix x = rhs. The matrix is row-major, with rhs.size() rows and columns; only its lower
// half is read. x replaces rhs, and the Cholesky factor replaces that half. Returns false, with
// both partly overwritten, if the matrix is not positive definite.
bool solve_positive(std::span<double> matrix, std::span<double> rhs);

}  // namespace stagedtrain::law
