// Copies that drift apart are found, with the tensor's name and the rank.
#include "replicas/replicas.h"

#include <mutex>
#include <thread>

#include "support/catch.h"
#include "support/ranks.h"

using namespace stagedtrain;

namespace {

std::vector<std::string> checked_on_three(
    const std::function<void(int, train::DeviceState&)>& change) {
  const test::TinyRun tiny;
  const arch::ModelConfig model = tiny.plan().stages[0].model;
  const int port = test::free_port();
  std::vector<std::string> said(3);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 3; ++rank)
    threads.emplace_back([&, rank] {
      dist::Place place{.rank = rank, .size = 3, .local_rank = rank, .local_size = 3};
      place.port = port;
      dist::Ranks ranks(place, at::kCPU);
      train::DeviceState live = train::fresh_live(model, 1, {});
      change(rank, live);
      try {
        train::check_replicas(ranks, live);
      } catch (const Error& error) {
        said[static_cast<std::size_t>(rank)] = error.what();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return said;
}

}  // namespace

TEST_CASE("equal copies pass") {
  for (const std::string& text : checked_on_three([](int, train::DeviceState&) {}))
    CHECK(text == "");
}

TEST_CASE("a copy that drifted is named with its rank, on every rank") {
  const auto said = checked_on_three([](int rank, train::DeviceState& live) {
    if (rank == 2) live.model->params().exp_avg()[0].add_(1e-6);
  });
  for (const std::string& text : said) {
    CHECK(test::contains(text, "exp_avg of "));
    CHECK(test::contains(text, "differs on rank 2"));
  }
}
