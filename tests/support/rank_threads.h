// Ranks that are threads of one process, for tests of what they exchange.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "dist/ranks.h"
#include "support/ranks.h"

namespace stagedtrain::test {

// Calls f(ranks) on a thread for each of so many ranks.
inline void on_ranks(int size, const std::function<void(dist::Ranks&)>& f) {
  const int port = free_port();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      dist::Place place{.rank = rank, .size = size, .local_rank = rank, .local_size = size};
      place.port = port;
      dist::Ranks ranks(place, at::kCPU);
      f(ranks);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace stagedtrain::test
