// What adapters take from a larger model: the largest sums, and the nearest matrix of low rank.
#include <cmath>

#include "base/rng.h"
#include "learned/transplant.h"
#include "support/catch.h"

using namespace stagedtrain;
using grow::MatrixView;

namespace {

std::vector<double> random_numbers(std::int64_t count, std::uint64_t seed) {
  const CounterRng rng(seed, 0);
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < count; ++i)
    numbers.push_back(rng.uniform(static_cast<std::uint64_t>(i)));
  return numbers;
}

double sum_of(const MatrixView& m, std::int64_t row, std::int64_t column, std::int64_t rows,
              std::int64_t columns) {
  double sum = 0;
  for (std::int64_t r = row; r < row + rows; ++r)
    for (std::int64_t c = column; c < column + columns; ++c)
      sum += m.values[static_cast<std::size_t>(r * m.columns + c)];
  return sum;
}

// Returns scale B A.
std::vector<double> product(const grow::LowRankFactors& f, std::int64_t rows, std::int64_t columns,
                            std::int64_t rank, double scale) {
  std::vector<double> made(static_cast<std::size_t>(rows * columns));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t k = 0; k < rank; ++k)
        made[static_cast<std::size_t>(r * columns + c)] +=
            scale * f.b[static_cast<std::size_t>(r * rank + k)] *
            f.a[static_cast<std::size_t>(k * columns + c)];
  return made;
}

// The matrix of the numpy oracle: sin(1 + 1.3 r + 2.1 c r + 0.4 c), of 4 x 6.
std::vector<double> waves() {
  std::vector<double> values;
  for (double r = 0; r < 4; ++r)
    for (double c = 0; c < 6; ++c) values.push_back(std::sin(1 + 1.3 * r + 2.1 * c * r + 0.4 * c));
  return values;
}

}  // namespace

TEST_CASE("the largest numbers are taken in their order, the earlier one of equal ones") {
  const std::vector<double> numbers = {3, 9, 1, 9, 5, 5};
  CHECK(grow::largest(numbers, 2) == std::vector<std::size_t>{1, 3});
  CHECK(grow::largest(numbers, 3) == std::vector<std::size_t>{1, 3, 4});
  CHECK(grow::largest(numbers, 6) == std::vector<std::size_t>{0, 1, 2, 3, 4, 5});
  CHECK(grow::largest(numbers, 0).empty());
}

TEST_CASE("the largest window is the one that adding up every window finds") {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {1, 4}, {5, 3}, {7, 9}, {12, 13}, {9, 13}}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const std::vector<double> numbers = random_numbers(12 * 13, seed);
      const MatrixView all{numbers, 12, 13};
      const auto found = grow::largest_window(all, rows, columns);
      const double sum = sum_of(all, found.row, found.column, rows, columns);
      CAPTURE(rows, columns, seed, found.row, found.column);
      std::int64_t beaten = 0;
      for (std::int64_t r = 0; r + rows <= 12; ++r)
        for (std::int64_t c = 0; c + columns <= 13; ++c)
          beaten += sum_of(all, r, c, rows, columns) > sum + 1e-12;
      CHECK(beaten == 0);
    }
  }
}

TEST_CASE("of equal windows the first is taken, and one as large as the matrix is all of it") {
  const std::vector<double> ones(5 * 6, 1.0);
  const auto first = grow::largest_window({ones, 5, 6}, 2, 3);
  CHECK(first.row == 0);
  CHECK(first.column == 0);
  std::vector<double> last = ones;
  last.back() = 2;
  const auto found = grow::largest_window({last, 5, 6}, 2, 3);
  CHECK(found.row == 3);
  CHECK(found.column == 3);
  const auto whole = grow::largest_window({last, 5, 6}, 5, 6);
  CHECK(whole.row == 0);
  CHECK(whole.column == 0);
}

TEST_CASE("factors are those of numpy.linalg.svd, up to the sign of a pair") {
  const std::vector<double> values = waves();
  const grow::LowRankFactors found = grow::nearest_factors({values, 4, 6}, 2, 2.5);
  // u, s, v = numpy.linalg.svd(w); v[k], and u[:, k] * s[k] / 2.5
  const std::vector<std::vector<double>> a = {
      {0.5755499641212237, 0.5379014737616378, 0.4855283682160584, 0.337747321729024,
       0.10413154022249074, -0.13692996742251212},
      {0.07272532765080125, 0.050627939478212966, 0.42791772142140105, -0.5032070485907186,
       -0.048285255252530544, 0.743966035870998}};
  const std::vector<std::vector<double>> b = {
      {0.7178551988205156, 0.0188559581780012, -0.04346164355987124, -0.5461877194486522},
      {0.08042819603167553, 0.4605090625370584, 0.5417737906619344, 0.07849454934712138}};
  REQUIRE(found.a.size() == 2 * 6);
  REQUIRE(found.b.size() == 4 * 2);
  for (std::size_t k = 0; k < 2; ++k) {
    const double sign = found.a[k * 6] < 0 ? -1 : 1;
    for (std::size_t c = 0; c < 6; ++c)
      CHECK(sign * found.a[k * 6 + c] == Approx(a[k][c]).epsilon(1e-10));
    for (std::size_t r = 0; r < 4; ++r)
      CHECK(sign * found.b[r * 2 + k] == Approx(b[k][r]).epsilon(1e-10));
  }
}

TEST_CASE("scale B A is the nearest matrix of its rank, whatever the scale") {
  const std::vector<double> values = waves();
  const std::vector<double> singular = {2.258154076023569, 1.7996831768416193, 1.7377940346710903,
                                        0.9174043976493227};
  for (const double scale : {1.0, 2.0, 0.3})
    for (std::int64_t rank = 1; rank <= 4; ++rank) {
      const auto made =
          product(grow::nearest_factors({values, 4, 6}, rank, scale), 4, 6, rank, scale);
      double squares = 0, wanted = 0;
      for (std::size_t i = 0; i < values.size(); ++i) squares += std::pow(made[i] - values[i], 2);
      for (std::size_t k = static_cast<std::size_t>(rank); k < 4; ++k)
        wanted += singular[k] * singular[k];
      CHECK(squares == Approx(wanted).epsilon(1e-10).margin(1e-24));
    }
  // A tall window.
  std::vector<double> tall;
  for (std::size_t c = 0; c < 6; ++c)
    for (std::size_t r = 0; r < 4; ++r) tall.push_back(values[r * 6 + c]);
  const auto made = product(grow::nearest_factors({tall, 6, 4}, 4, 2), 6, 4, 4, 2);
  for (std::size_t i = 0; i < tall.size(); ++i) CHECK(made[i] == Approx(tall[i]).margin(1e-12));
}
