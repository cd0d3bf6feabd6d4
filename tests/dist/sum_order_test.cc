// The tree of sums over leaves, and how ranks share it.
#include "dist/sum_order.h"

#include <cmath>
#include <functional>
#include <map>
#include <random>

#include "plan/processes.h"
#include "support/catch.h"
#include "support/schedules.h"

using namespace stagedtrain::dist;

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

// Flat gradients that are set aside while the sum over a node is made.
static std::int64_t set_aside_in(const Range& node) {
  if (node.size() == 1) return 0;
  const std::int64_t middle = middle_of(node);
  return std::max(set_aside_in({node.begin, middle}), 1 + set_aside_in({middle, node.end}));
}

TEST_CASE("the planner counts the nodes of a rank, and no fewer partial sums than it keeps") {
  for (std::int64_t passes = 1; passes <= 20; ++passes)
    for (std::int64_t ranks = 1; ranks <= 20; ++ranks) {
      const auto schedule = stagedtrain::test::two_stages(
          {"batch={sequences: " + std::to_string(passes) + ", micro: 1}"});
      const std::int64_t leaves = leaves_of(passes, ranks);
      std::int64_t most_nodes = 0, most_kept = 0;
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        const std::vector<Range> nodes = nodes_of(leaves, rank, ranks);
        const auto count = static_cast<std::int64_t>(nodes.size());
        most_nodes = std::max(most_nodes, count);
        for (std::int64_t i = 0; i < count; ++i)
          most_kept = std::max(most_kept, i + set_aside_in(nodes[static_cast<std::size_t>(i)]));
      }
      const stagedtrain::plan::StepShare share = stagedtrain::plan::step_share(schedule, {ranks});
      CAPTURE(passes, ranks);
      CHECK(share.sent == most_nodes);
      CHECK(share.partial_sums >= most_kept);
      CHECK(share.partial_sums <= most_kept + 1);
    }
}
