// Sums of flat buffers over ranks; here threads are the ranks.
#include "dist/flat_exchange.h"

#include "support/catch.h"
#include "support/rank_threads.h"

using namespace stagedtrain;
using test::on_ranks;

namespace {

constexpr std::int64_t kSize = 100'000;

at::Tensor leaf(std::int64_t index) {
  at::Tensor values = at::empty({kSize});
  for (std::int64_t i = 0; i < kSize; ++i)
    values.data_ptr<float>()[i] = 1.0f / static_cast<float>(1 + index * 7919 + i % 977);
  return values;
}

at::Tensor node_sum(const Range& node) {
  if (node.size() == 1) return leaf(node.begin);
  const std::int64_t middle = middle_of(node);
  return node_sum({node.begin, middle}) + node_sum({middle, node.end});
}

}  // namespace

TEST_CASE("a sum over ranks is that of the tree, to the bit, and comes to all") {
  const int size = GENERATE(2, 3, 4);
  const std::int64_t leaves = GENERATE(1, 2, 7, 8);
  INFO(size << " ranks, " << leaves << " leaves");
  const at::Tensor expected = node_sum({0, leaves});
  std::vector<char> same(static_cast<std::size_t>(size));
  std::vector<std::int64_t> owned(static_cast<std::size_t>(size));
  on_ranks(size, [&](dist::Ranks& ranks) {
    dist::FlatExchange exchange(ranks, kSize);
    at::Tensor flat = at::zeros({kSize});
    std::vector<at::Tensor> nodes;
    for (const Range& node : nodes_of(leaves, ranks.rank(), size)) nodes.push_back(node_sum(node));
    if (!nodes.empty()) {
      flat.copy_(nodes.back());
      nodes.back() = flat;
    }
    exchange.add(flat, nodes, leaves);
    bool own_same = true;
    for (const Range& own : exchange.own()) {
      own_same = own_same && at::equal(flat.narrow(0, own.begin, own.size()),
                                       expected.narrow(0, own.begin, own.size()));
      owned[static_cast<std::size_t>(ranks.rank())] += own.size();
    }
    exchange.gather(flat);
    same[static_cast<std::size_t>(ranks.rank())] = own_same && at::equal(flat, expected);
  });
  for (const char one : same) CHECK(one);
  std::int64_t all = 0;
  for (const std::int64_t one : owned) all += one;
  CHECK(all == kSize);
}

TEST_CASE("ranks exchange texts, sums and a request to stop") {
  std::vector<std::string> seen(3);
  on_ranks(3, [&](dist::Ranks& ranks) {
    const std::string own(1, static_cast<char>('a' + ranks.rank()));
    std::string all = ranks.from_first(own);
    for (const std::string& text : ranks.gather(own)) all += text;
    std::vector<double> values{1, 0};
    values[1] = ranks.rank();
    ranks.sum(values);
    seen[static_cast<std::size_t>(ranks.rank())] =
        all + std::to_string(static_cast<int>(values[0] * 10 + values[1]));
  });
  CHECK(seen == std::vector<std::string>(3, "aabc33"));
}
