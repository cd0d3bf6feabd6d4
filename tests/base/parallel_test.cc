// Loops over cores: every index once, failures reported.
#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "support/catch.h"
#include "support/refused_calls.h"

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

// One thread takes pieces in order, so all that follow the failure have not begun.
TEST_CASE("pieces that have not begun when one fails are skipped") {
  std::vector<std::int64_t> begun;
  CHECK_THROWS_WITH(in_parallel(1000, 1, 1,
                                [&](std::int64_t begin, std::int64_t) {
                                  begun.push_back(begin);
                                  if (begin == 5) throw std::runtime_error("five");
                                }),
                    "five");
  CHECK(begun == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5});
  std::atomic<int> count{0};
  CHECK_THROWS(in_parallel(1000000, 1, 2, [&](std::int64_t, std::int64_t) {
    ++count;
    throw std::runtime_error("all");
  }));
  CHECK(count <= 2);  // at most one on each thread
}

TEST_CASE("where no thread can be started the calling thread does all of the work") {
  test::check_child(test::exit_code_of_child([] {
    test::refuse_threads();
    if (try_thread([] {}).joinable()) return 1;
    if (threads_to_be_had(8) != 1) return 2;
    std::vector<int> done(100);
    in_parallel(100, 1, 8, [&](std::int64_t i, std::int64_t) { ++done[std::size_t(i)]; });
    return std::ranges::all_of(done, [](int times) { return times == 1; }) ? 0 : 3;
  }));
}

TEST_CASE("as many threads as are asked for are counted, and end") {
  CHECK(threads_to_be_had(1) == 1);
  CHECK(threads_to_be_had(0) == 1);
  CHECK(threads_to_be_had(5) == 5);
  std::atomic<bool> ran = false;
  try_thread([&] { ran = true; }).join();
  CHECK(ran);
}
