// Maps of axes: S D = I, whatever the sizes.
#include "grow/axis_map.h"

#include <cmath>

#include "support/catch.h"

using namespace stagedtrain;
using grow::AxisMap;

namespace {

using Dense = std::vector<std::vector<double>>;

// D (new x old) or S (old x new) as a full matrix.
Dense dense(const AxisMap& map, bool read) {
  const auto rows = static_cast<std::size_t>(read ? map.from : map.to),
             columns = static_cast<std::size_t>(read ? map.to : map.from);
  Dense matrix(rows, std::vector<double>(columns, 0));
  for (const grow::Piece& p : map.pieces)
    for (std::int64_t i = 0; i < p.count; ++i) {
      const auto to = static_cast<std::size_t>(p.to + i),
                 from = static_cast<std::size_t>(p.from + i);
      (read ? matrix[from][to] : matrix[to][from]) += read ? p.read : p.write;
    }
  return matrix;
}

// The largest entry of S D - I.
double off_identity(const AxisMap& map) {
  const Dense d = dense(map, false), s = dense(map, true);
  double most = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    for (std::size_t j = 0; j < s.size(); ++j) {
      double sum = i == j ? -1 : 0;
      for (std::size_t k = 0; k < d.size(); ++k) sum += s[i][k] * d[k][j];
      most = std::max(most, std::abs(sum));
    }
  return most;
}

}  // namespace

TEST_CASE("readers of any map undo its writers") {
  for (const std::int64_t from : {1, 2, 6})
    for (const std::int64_t to : {6, 7, 12, 17}) {
      CAPTURE(from, to);
      CHECK(off_identity(grow::repeated(from, to)) <= 1e-15);
      CHECK(off_identity(grow::padded(from, to, 100, grow::Rest::zero, true)) <= 1e-15);
      CHECK(off_identity(grow::padded(from, to, 1, grow::Rest::mean, false)) <= 1e-15);
      CHECK(off_identity(grow::chosen(from, to, grow::at_random(3), "ffn")) <= 1e-15);
      CHECK(grow::repeated(from, to).even() == (to % from == 0));
    }
  CHECK(off_identity(grow::map_units({0, 1, 1, -1, 0}, 2, 3)) <= 1e-15);
  CHECK(off_identity(grow::unchanged(5)) == 0);
}

TEST_CASE("whole copies are one run each") {
  const AxisMap map = grow::repeated(4, 12);
  REQUIRE(map.pieces.size() == 3);
  CHECK(map.pieces[2] == grow::Piece{8, 0, 4, 1, 1.0 / 3, 2});
  CHECK(map.copies == 3);
  CHECK(map.tiles() == 3);
  CHECK(rest_of(map).empty());
}

TEST_CASE("what is copied once more is split unevenly") {
  const AxisMap map = grow::repeated(4, 6);
  CHECK(dense(map, true)[0] == std::vector<double>{0.5, 0, 0, 0, 0.5, 0});
  CHECK(dense(map, true)[3] == std::vector<double>{0, 0, 0, 1, 0, 0});
  CHECK_FALSE(map.even());
}

TEST_CASE("a padded map leaves a rest, and whole copies before it") {
  const AxisMap map = grow::padded(4, 11, 100, grow::Rest::mean, true);
  const auto rest = rest_of(map);
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].begin == 8);
  CHECK(rest[0].count == 3);
  CHECK(map.tiles() == 2);
  CHECK(grow::padded(4, 11, 1, grow::Rest::mean, true).tiles() == 1);
}

TEST_CASE("units grow inside, each entry at its stride") {
  const AxisMap map = grow::widened_units(grow::repeated(1, 2), 2, 4, 2);
  CHECK(map.from == 2);
  CHECK(map.to == 8);
  const Dense d = dense(map, false);
  for (const auto& [to, from] : {std::pair{0, 0}, {2, 1}, {4, 0}, {6, 1}})
    CHECK(d[static_cast<std::size_t>(to)][static_cast<std::size_t>(from)] == 1);
  CHECK(rest_of(map).size() == 4);
}

TEST_CASE("a merged axis is the mean of what it merges, and undoes copies") {
  const AxisMap up = grow::repeated(3, 6), down = grow::merged(6, 3);
  const Dense a = dense(down, false), b = dense(up, false);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < 6; ++k) sum += a[i][k] * b[k][j];
      CHECK(sum == (i == j ? 1 : 0));
    }
}
