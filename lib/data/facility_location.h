// Which points represent all the others best? Greedy maximization of facility location.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace stagedtrain::data {

// Points in the order in which the greedy algorithm takes them, and by how much each raised f.
struct Ranking {
  std::vector<std::int64_t> order;
  std::vector<double> gains;  // of order[0], order[1], ...; they never rise
};

// Ranks all `count` points, given the rows of features [count, width], by
//   f(S) = sum over points i of max(0, max over j in S of cos(i, j)).
// Each step takes the point that raises f most; of equal ones that with the lowest index. Negative
// cosines count as 0, so that f is monotone and its gains are not negative. The lazy algorithm
// (Minoux 1978) evaluates few points in each step, because a gain only falls as S grows: an old
// gain is an upper bound. The result is that of the plain greedy algorithm, to the bit.
//
// Requires finite features. Takes 4 count^2 bytes, and 2 width count^2 FLOPs for the cosines.
Ranking rank_by_facility_location(std::span<const float> features, std::int64_t count,
                                  std::int64_t width);

}  // namespace stagedtrain::data
