// The tree of sums over leaves, and how ranks share it.
#include "base/sum_order.h"

#include <cmath>
#include <functional>
#include <map>
#include <random>

#include "support/catch.h"

using namespace stagedtrain;

namespace {

// The sum over a node, made of what ranks have added up where there is such a piece.
float tree_sum(const std::vector<float>& leaves, const Range& node,
               const std::map<std::pair<std::int64_t, std::int64_t>, float>& pieces = {}) {
  if (const auto piece = pieces.find({node.begin, node.end}); piece != pieces.end())
    return piece->second;
  if (node.size() == 1) return leaves[static_cast<std::size_t>(node.begin)];
  const std::int64_t middle = middle_of(node);
  return tree_sum(leaves, {node.begin, middle}, pieces) +
         tree_sum(leaves, {middle, node.end}, pieces);
}

}  // namespace

TEST_CASE("any number of ranks makes the same additions") {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (std::int64_t count = 1; count <= kMostLeaves; ++count) {
    std::vector<float> leaves(static_cast<std::size_t>(count));
    for (float& leaf : leaves) leaf = std::exp(5 * normal(random));
    const float whole = tree_sum(leaves, {0, count});
    for (std::int64_t ranks = 1; ranks <= 12; ++ranks) {
      std::map<std::pair<std::int64_t, std::int64_t>, float> pieces;
      std::int64_t covered = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank)
        for (const Range& node : nodes_of(count, rank, ranks)) {
          CHECK(node.begin == covered);
          covered = node.end;
          pieces[{node.begin, node.end}] = tree_sum(leaves, node);
        }
      INFO(count << " leaves, " << ranks << " ranks");
      CHECK(covered == count);
      CHECK(tree_sum({}, {0, count}, pieces) == whole);
    }
  }
}

TEST_CASE("ranks that divide the leaves evenly add up one node each") {
  for (std::int64_t ranks : {1, 2, 4, 8})
    for (std::int64_t rank = 0; rank < ranks; ++rank)
      CHECK((nodes_of(8, rank, ranks) == std::vector<Range>{part_of(8, rank, ranks)}));
  CHECK((nodes_of(8, 0, 3) == std::vector<Range>{{0, 2}}));
  CHECK((nodes_of(8, 1, 3) == std::vector<Range>{{2, 4}, {4, 5}}));
}

TEST_CASE("leaves are as many as passes, up to eight or the ranks") {
  CHECK(leaves_of(1, 1) == 1);
  CHECK(leaves_of(5, 2) == 5);
  CHECK(leaves_of(64, 4) == 8);
  CHECK(leaves_of(64, 16) == 16);
  CHECK(leaves_of(64, 1, 1) == 1);
  CHECK(leaves_of(64, 4, 1) == 4);
}
