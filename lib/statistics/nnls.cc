// Solves non-negative least squares by trying every set of columns; three columns have only 8 sets.
#include "statistics/nnls.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "statistics/linear_solve.h"

namespace stagedtrain::law {
namespace {

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The dot products of all columns, scaled to length 1, with each other and with the target.
struct Products {
  std::size_t n;
  std::vector<double> scale, gram, right;
  double target = 0;

  Products(const std::vector<std::vector<double>>& columns, std::span<const double> y)
      : n(columns.size()), gram(n * n), right(n), target(dot(y, y)) {
    for (const auto& column : columns) scale.push_back(std::sqrt(dot(column, column)));
    for (std::size_t i = 0; i < n; ++i) {
      right[i] = dot(columns[i], y) / scale[i];
      for (std::size_t j = 0; j < n; ++j)
        gram[i * n + j] = dot(columns[i], columns[j]) / (scale[i] * scale[j]);
    }
  }
};

// Fits the columns of a set (bit i stands for column i) without constraints. Returns false if a
// coefficient is negative or the columns are dependent.
bool fit_set(const Products& p, unsigned set, NonNegativeFit& fit) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < p.n; ++i)
    if (set >> i & 1) chosen.push_back(i);
  const std::size_t m = chosen.size();
  std::vector<double> matrix(m * m), x(m);
  for (std::size_t i = 0; i < m; ++i) {
    x[i] = p.right[chosen[i]];
    for (std::size_t j = 0; j < m; ++j) matrix[i * m + j] = p.gram[chosen[i] * p.n + chosen[j]];
  }
  if (!solve_positive(matrix, x) || std::ranges::any_of(x, [](double c) { return c < 0; }))
    return false;
  fit.coefficients.assign(p.n, 0);
  fit.squares = p.target;
  for (std::size_t i = 0; i < m; ++i) {
    fit.coefficients[chosen[i]] = x[i] / p.scale[chosen[i]];
    fit.squares -= x[i] * p.right[chosen[i]];
  }
  fit.squares = std::max(fit.squares, 0.0);
  return true;
}

}  // namespace

NonNegativeFit non_negative_fit(const std::vector<std::vector<double>>& columns,
                                std::span<const double> target) {
  ST_CHECK(!columns.empty() && columns.size() <= 4, "{} columns", columns.size());
  for (const auto& column : columns)
    ST_CHECK(column.size() == target.size(), "{} rows, expected {}", column.size(), target.size());
  const Products products(columns, target);
  NonNegativeFit best{std::vector<double>(columns.size(), 0), products.target};
  for (unsigned set = 1; set < 1u << columns.size(); ++set) {
    NonNegativeFit fit;
    if (fit_set(products, set, fit) && fit.squares < best.squares) best = fit;
  }
  return best;
}

}  // namespace stagedtrain::law
