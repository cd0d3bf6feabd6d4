// Compares the sums of windows by a summed-area table, in float64.
#include "learned/transplant.h"

#include <Eigen/SVD>
#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace stagedtrain::grow {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Entry (r, c) is the sum of the first r rows and c columns.
class SummedAreas {
 public:
  explicit SummedAreas(const MatrixView& m)
      : stride_(m.columns + 1), sums_(static_cast<std::size_t>((m.rows + 1) * stride_)) {
    for (std::int64_t r = 0; r < m.rows; ++r) {
      double row = 0;
      for (std::int64_t c = 0; c < m.columns; ++c) {
        row += m.values[static_cast<std::size_t>(r * m.columns + c)];
        sums_[place(r + 1, c + 1)] = sums_[place(r, c + 1)] + row;
      }
    }
  }
  double of(std::int64_t row, std::int64_t column, std::int64_t rows, std::int64_t columns) const {
    return sums_[place(row + rows, column + columns)] - sums_[place(row, column + columns)] -
           sums_[place(row + rows, column)] + sums_[place(row, column)];
  }

 private:
  std::size_t place(std::int64_t r, std::int64_t c) const {
    return static_cast<std::size_t>(r * stride_ + c);
  }
  std::int64_t stride_;
  std::vector<double> sums_;
};

std::vector<double> row_by_row(const RowMajor& x) { return {x.data(), x.data() + x.size()}; }

}  // namespace

std::vector<std::size_t> largest(std::span<const double> numbers, std::size_t count) {
  ST_CHECK(count <= numbers.size(), "the {} largest of {}", count, numbers.size());
  std::vector<std::size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return numbers[i]; });
  order.resize(count);
  std::ranges::sort(order);
  return order;
}

WindowPlace largest_window(const MatrixView& matrix, std::int64_t rows, std::int64_t columns) {
  ST_CHECK(rows <= matrix.rows && columns <= matrix.columns, "a window of {} x {} in {} x {}", rows,
           columns, matrix.rows, matrix.columns);
  const SummedAreas sums(matrix);
  WindowPlace best;
  double most = sums.of(0, 0, rows, columns);
  for (std::int64_t row = 0; row + rows <= matrix.rows; ++row)
    for (std::int64_t column = 0; column + columns <= matrix.columns; ++column)
      if (const double sum = sums.of(row, column, rows, columns); sum > most) {
        most = sum;
        best = {row, column};
      }
  return best;
}

LowRankFactors nearest_factors(const MatrixView& window, std::int64_t rank, double scale) {
  ST_CHECK(rank <= std::min(window.rows, window.columns), "rank {} of {} x {}", rank, window.rows,
           window.columns);
  const Eigen::Map<const RowMajor> values(window.values.data(), window.rows, window.columns);
  const Eigen::BDCSVD<Eigen::MatrixXd> svd(values, Eigen::ComputeThinU | Eigen::ComputeThinV);
  return {row_by_row(svd.matrixV().leftCols(rank).transpose()),
          row_by_row(svd.matrixU().leftCols(rank) *
                     (svd.singularValues().head(rank) / scale).asDiagonal())};
}

}  // namespace stagedtrain::grow
