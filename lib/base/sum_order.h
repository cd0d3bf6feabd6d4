// Fixes the order in which the gradients of a step are added, for any number of ranks.
//
// The passes of a step are grouped into at most kMostLeaves leaves. The passes of a leaf are added
// one after the other, and leaves are added in a binary tree that depends on their number alone. A
// rank takes a run of whole leaves. So every number of ranks up to the number of leaves makes the
// same additions, and gets the same bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace stagedtrain {

inline constexpr std::int64_t kMostLeaves = 8;

struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

// Returns part `index` of `count` nearly equal parts of [0, size).
inline Range part_of(std::int64_t size, std::int64_t index, std::int64_t count) {
  return {size * index / count, size * (index + 1) / count};
}

// Returns the number of leaves of a step. If there are more ranks than `most`, each rank gets a
// leaf of its own; the sums then agree with those of fewer ranks up to rounding.
inline std::int64_t leaves_of(std::int64_t passes, std::int64_t ranks,
                              std::int64_t most = kMostLeaves) {
  return std::min(passes, std::max(most, ranks));
}

// Returns where the node [begin, end) of the tree is divided. The number of leaves of the left
// child is the largest power of two below the number of leaves of the node. Requires at least two
// leaves.
inline std::int64_t middle_of(const Range& node) {
  return node.begin +
         static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(node.size() - 1)));
}

// Appends the fewest nodes of the tree that cover a run of leaves, in order. node is the subtree to
// search.
inline void add_nodes(const Range& run, const Range& node, std::vector<Range>& nodes) {
  if (node.begin >= run.end || node.end <= run.begin) return;
  if (run.begin <= node.begin && node.end <= run.end) {
    nodes.push_back(node);
    return;
  }
  const std::int64_t middle = middle_of(node);
  add_nodes(run, {node.begin, middle}, nodes);
  add_nodes(run, {middle, node.end}, nodes);
}

// Returns the nodes that a rank sums by itself.
inline std::vector<Range> nodes_of(std::int64_t leaves, std::int64_t rank, std::int64_t ranks) {
  std::vector<Range> nodes;
  add_nodes(part_of(leaves, rank, ranks), {0, leaves}, nodes);
  return nodes;
}

}  // namespace stagedtrain
