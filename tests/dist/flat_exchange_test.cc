// Sums of flat buffers over ranks; here threads are the ranks.
#include "dist/flat_exchange.h"

#include <atomic>
#include <thread>

#include "support/catch.h"
#include "support/rank_threads.h"

using namespace stagedtrain;
using test::on_ranks;

namespace {

constexpr std::int64_t kUnit = dist::FlatExchange::kSliceUnit;
constexpr std::int64_t kSize = 104 * kUnit + 1234;

// Three units of a model from the last to the first, and what comes after them. The first two are
// too small to be buckets of their own.
const std::vector<Range> kRuns = {
    {90 * kUnit, 100 * kUnit}, {33 * kUnit, 90 * kUnit}, {0, 33 * kUnit}, {100 * kUnit, kSize}};

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
    dist::FlatExchange exchange(ranks, kRuns);
    at::Tensor flat = at::zeros({kSize});
    std::vector<at::Tensor> nodes;
    for (const Range& node : nodes_of(leaves, ranks.rank(), size)) nodes.push_back(node_sum(node));
    if (!nodes.empty()) {
      flat.copy_(nodes.back());
      nodes.back() = flat;
    }
    for (std::int64_t bucket = 0; bucket < exchange.buckets(); ++bucket)
      exchange.add(bucket, flat, nodes, leaves);
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

TEST_CASE("buckets follow the runs, and ranks own equal parts of each") {
  {
    dist::Ranks alone;
    const dist::FlatExchange exchange(alone, kRuns);
    CHECK(exchange.buckets() == 3);
    CHECK(exchange.bucket(0) == Range{33 * kUnit, 100 * kUnit});
    CHECK(exchange.bucket(1) == Range{0, 33 * kUnit});
    CHECK(exchange.bucket(2) == Range{100 * kUnit, kSize});
    const std::vector<std::int64_t> within = {
        exchange.buckets_within(0), exchange.buckets_within(1), exchange.buckets_within(2),
        exchange.buckets_within(3), exchange.buckets_within(4)};
    CHECK(within == std::vector<std::int64_t>{0, 0, 1, 2, 3});
    // A run of 9.5 million elements becomes three buckets, which its end completes together.
    const dist::FlatExchange large(alone, {{0, 580 * kUnit}});
    CHECK(large.buckets() == 3);
    CHECK(large.bucket(1) == Range{193 * kUnit, 386 * kUnit});
    CHECK(large.buckets_within(1) == 3);
  }
  std::vector<std::vector<Range>> own(4);
  on_ranks(4, [&](dist::Ranks& ranks) {
    own[static_cast<std::size_t>(ranks.rank())] = dist::FlatExchange(ranks, kRuns).own();
  });
  // In ascending order: of 33, of 67, and of 4 and a bit units.
  const std::vector<Range> second = {
      {8 * kUnit, 16 * kUnit}, {49 * kUnit, 66 * kUnit}, {101 * kUnit, 102 * kUnit}};
  const std::vector<Range> fourth = {
      {24 * kUnit, 33 * kUnit}, {83 * kUnit, 100 * kUnit}, {103 * kUnit, kSize}};
  CHECK(std::ranges::equal(own[1], second));
  CHECK(std::ranges::equal(own[3], fourth));
}

TEST_CASE("time in calls on another thread is hidden, except while the first one waits") {
  using std::chrono::milliseconds;
  std::atomic<bool> called = false, waiting = false;
  dist::CommunicationTime direct, partly, none;
  on_ranks(2, [&](dist::Ranks& ranks) {
    ranks.take_time();
    if (ranks.rank() == 1) {
      std::this_thread::sleep_for(milliseconds(200));
      ranks.barrier();
      while (!waiting) std::this_thread::sleep_for(milliseconds(1));
      std::this_thread::sleep_for(milliseconds(100));
      return ranks.barrier();
    }
    ranks.barrier();
    direct = ranks.take_time();
    std::thread thread([&] {
      called = true;
      ranks.barrier();
    });
    while (!called) std::this_thread::sleep_for(milliseconds(1));
    std::this_thread::sleep_for(milliseconds(100));
    waiting = true;
    ranks.wait([&] { thread.join(); });
    partly = ranks.take_time();
    none = ranks.take_time();
  });
  CHECK(direct.waited > 0.1);
  CHECK(direct.hidden == 0);
  CHECK(partly.waited > 0.08);
  CHECK(partly.hidden > 0.08);
  CHECK(none.waited == 0);
  CHECK(none.hidden == 0);
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
