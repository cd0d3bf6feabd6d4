// Solves small positive definite systems by Cholesky factorization.
#include "statistics/linear_solve.h"

#include <cmath>

#include "base/error.h"

namespace stagedtrain::law {
namespace {

bool factor(std::span<double> matrix, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = matrix[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= matrix[i * n + k] * matrix[j * n + k];
      if (i != j) {
        matrix[i * n + j] = sum / matrix[j * n + j];
      } else if (sum > 1e-14 * matrix[i * n + i]) {  // also refuses NaN
        matrix[i * n + i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

bool solve_positive(std::span<double> matrix, std::span<double> rhs) {
  const std::size_t n = rhs.size();
  ST_CHECK(matrix.size() == n * n, "a matrix of {} for {} unknowns", matrix.size(), n);
  if (!factor(matrix, n)) return false;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) rhs[i] -= matrix[i * n + k] * rhs[k];
    rhs[i] /= matrix[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) rhs[i] -= matrix[k * n + i] * rhs[k];
    rhs[i] /= matrix[i * n + i];
  }
  return true;
}

}  // namespace stagedtrain::law
