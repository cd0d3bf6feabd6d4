// Which weights of a larger model do adapters of a smaller one begin from, and which A and B are
// these? (Neural Nuggets, arXiv 2310.11451, section 3)
//
// The sensitivity of a weight w to some sequences is
//   sum over the sequences of |w dL/dw|,
// which is, to first order, by how much their losses change if the weight is set to zero. A model
// of k layers takes the k layers of the larger one with the largest sums, in their order, and of
// each matrix the window of adjacent rows and columns with the largest sum that has the size of its
// own matrix. Of this window it takes the part of rank r that is nearest to it, its truncated
// singular value decomposition:
//   W ~ U_r S_r V_r^T,   B = U_r S_r / scale,   A = V_r^T,   so that scale B A = U_r S_r V_r^T.
//
// The paper has scale 1 (alpha = rank = 16). Dividing by the scale keeps what is transplanted
// independent of alpha. V_r^T has rows of length 1, which is also the length that rows of a drawn A
// have on average.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stagedtrain::grow {

// The numbers of a matrix, row by row.
struct MatrixView {
  std::span<const double> values;
  std::int64_t rows = 0, columns = 0;
};

// Returns the indices of the `count` largest numbers, in ascending order. Of equal numbers, the
// earlier ones are taken.
std::vector<std::size_t> largest(std::span<const double> numbers, std::size_t count);

// Returns the first row and column of the window of rows x columns with the largest sum; of equal
// sums, the one with the smallest row, and then the smallest column. Requires that the window is
// not larger than the matrix. Takes time in proportion to the matrix, whatever the window's size.
struct WindowPlace {
  std::int64_t row = 0, column = 0;
};
WindowPlace largest_window(const MatrixView& matrix, std::int64_t rows, std::int64_t columns);

// A is rank x columns and B is rows x rank, row by row.
struct LowRankFactors {
  std::vector<double> a, b;
};
// Returns the factors of the matrix of this rank that is nearest to the window, as described above.
// Requires that rank is at most the window's shorter side.
LowRankFactors nearest_factors(const MatrixView& window, std::int64_t rank, double scale);

}  // namespace stagedtrain::grow
