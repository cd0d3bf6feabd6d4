// The fixed order in which the gradients of a step are added, on any number of ranks.
//
// A step's passes are grouped into at most kMostLeaves leaves. The passes of a leaf are added one
// after the other; leaves are added in a binary tree that depends on their number alone. A rank
// takes a run of whole leaves, so where ranks are no more than leaves, every number of ranks makes
// the same additions.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace stagedtrain::dist {

inline constexpr std::int64_t kMostLeaves = 8;

struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

// Part `index` of `count` almost equal parts of [0, size).
inline Range part_of(std::int64_t size, std::int64_t index, std::int64_t count) {
  return {size * index / count, size * (index + 1) / count};
}

// Leaves of a step of so many passes. More ranks than `most` get a leaf each; their sums agree with
// those of fewer ranks only but for rounding.
inline std::int64_t leaves_of(std::int64_t passes, std::int64_t ranks,
                              std::int64_t most = kMostLeaves) {
  return std::min(passes, std::max(most, ranks));
}

// Where the node [begin, end) of the tree divides: its left child is as large a power of two as can
// be. Requires at least two leaves.
inline std::int64_t middle_of(const Range& node) {
  return node.begin +
         static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(node.size() - 1)));
}

// The fewest nodes of the tree over [0, leaves) that make up a run of leaves, in order.
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

// The nodes that a rank adds up by itself.
inline std::vector<Range> nodes_of(std::int64_t leaves, std::int64_t rank, std::int64_t ranks) {
  std::vector<Range> nodes;
  add_nodes(part_of(leaves, rank, ranks), {0, leaves}, nodes);
  return nodes;
}

}  // namespace stagedtrain::dist
