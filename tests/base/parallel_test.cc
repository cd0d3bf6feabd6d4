// Loops over cores: every index once, failures reported.
#include "base/parallel.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include "support/catch.h"

using namespace stagedtrain;

TEST_CASE("a parallel loop does every index once, in pieces no larger than asked") {
  const auto count =
      GENERATE(std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, std::int64_t{1000});
  const auto piece = GENERATE(std::int64_t{1}, std::int64_t{3}, std::int64_t{1000});
  std::vector<std::atomic<int>> done(static_cast<std::size_t>(count));
  std::atomic<std::int64_t> largest{0};
  in_parallel(count, piece, [&](std::int64_t begin, std::int64_t end) {
    if (end - begin > largest) largest = end - begin;
    for (std::int64_t i = begin; i < end; ++i) ++done[static_cast<std::size_t>(i)];
  });
  for (const auto& times : done) CHECK(times == 1);
  CHECK(largest <= piece);
}

TEST_CASE("a failure in a piece comes out of the loop, after every thread has stopped") {
  std::atomic<int> running{0};
  CHECK_THROWS_AS(in_parallel(1000, 1,
                              [&](std::int64_t begin, std::int64_t) {
                                ++running;
                                if (begin == 5) {
                                  --running;
                                  throw std::runtime_error("five");
                                }
                                --running;
                              }),
                  std::runtime_error);
  CHECK(running == 0);
}
