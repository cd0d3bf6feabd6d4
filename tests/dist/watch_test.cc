// Ranks leave a run together. The store is in this process's memory.
#include "dist/watch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <map>

#include "support/catch.h"

using namespace stagedtrain;
using namespace std::chrono_literals;
using dist::Place;
using dist::Watch;

namespace {

class StoreInMemory : public dist::Store {
 public:
  struct Contents {
    std::mutex mutex;
    std::map<std::string, std::string> texts;
    std::map<std::string, std::int64_t> numbers;
  };
  explicit StoreInMemory(std::shared_ptr<Contents> contents) : contents_(std::move(contents)) {}
  void set(const std::string& key, const std::string& text) override {
    const std::scoped_lock lock(contents_->mutex);
    contents_->texts[key] = text;
  }
  std::string set_once(const std::string& key, const std::string& text) override {
    const std::scoped_lock lock(contents_->mutex);
    return contents_->texts.emplace(key, text).first->second;
  }
  std::optional<std::string> get(const std::string& key) override {
    const std::scoped_lock lock(contents_->mutex);
    const auto found = contents_->texts.find(key);
    if (found == contents_->texts.end()) return {};
    return found->second;
  }
  std::int64_t add(const std::string& key, std::int64_t number) override {
    const std::scoped_lock lock(contents_->mutex);
    return contents_->numbers[key] += number;
  }
  std::unique_ptr<Store> another() override { return std::make_unique<StoreInMemory>(contents_); }

 private:
  std::shared_ptr<Contents> contents_;
};

Place place(int rank) {
  Place place;
  place.rank = rank;
  place.size = 2;
  return place;
}

}  // namespace

TEST_CASE("the last rank to leave is rank 0, which may have files to write") {
  StoreInMemory store(std::make_shared<StoreInMemory::Contents>());
  Watch first(place(0), store.another(), 30), second(place(1), store.another(), 30);
  auto parted = std::async(std::launch::async, [&] { second.part(); });
  CHECK(parted.wait_for(600ms) == std::future_status::timeout);
  first.part();
  CHECK(parted.wait_for(5s) == std::future_status::ready);
}

TEST_CASE("a rank that has reached the end notices that rank 0 is lost") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    StoreInMemory store(std::make_shared<StoreInMemory::Contents>());
    store.set("beat/0", "7\nsaving\nnode1 (process 1, local rank 0)\n");
    Watch watch(place(1), store.another(), 0.5);
    watch.part();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 6);
}
