// Issue 14, A14: signals that come twice, from a closed terminal, and in commands that only read.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "support/catch.h"
#include "support/shell.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::contains;

namespace {

template <class Condition>
bool comes_true(Condition condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace

TEST_CASE("a run that is told twice to stop, or whose terminal closes, saves and leaves with 85") {
  const test::TinyRun tiny;
  const std::string schedule = (tiny / "tiny.yaml").string(), run = (tiny / "run").string();
  test::write_text(schedule, tiny.yaml());
  const auto signals = GENERATE(
      table<int, int>({{SIGTERM, SIGTERM}, {SIGHUP, SIGHUP}, {SIGHUP, SIGTERM}, {SIGINT, SIGINT}}));
  test::RunningCommand running({.arguments = {test::program(), "train", schedule, "--out", run,
                                              "--set", "stages.small.for=1000000"}});
  REQUIRE(
      comes_true([&] { return contains(test::read_text(run + "/run.jsonl"), "\"step\":20,"); }));
  running.send(std::get<0>(signals));
  running.send(std::get<1>(signals));
  const auto result = running.wait();
  INFO(result.err);
  CHECK(result.exit_code == 85);
  CHECK(contains(result.err, "saved " + run + "/checkpoints/step-"));
  CHECK(contains(result.err, "interrupted while training") == (std::get<0>(signals) == SIGINT));
}

TEST_CASE("a command that waits for its standard input heeds a signal and leaves nothing") {
  const test::TinyRun tiny;
  const std::string pipe = (tiny / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int writer = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  const int signal = GENERATE(SIGTERM, SIGINT, SIGHUP);
  const auto command =
      test::in_shell("exec \"$@\" <" + pipe, {"data", "-", "--out", (tiny / "new").string()});
  test::RunningCommand running(command);
  REQUIRE(comes_true([&] { return std::filesystem::exists(tiny / "new"); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto start = std::chrono::steady_clock::now();
  running.send(signal);
  const auto result = running.wait();
  ::close(writer);
  INFO(result.err);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
  CHECK(result.exit_code == 85);
  CHECK(contains(result.err, "run the same command again"));
  CHECK(std::filesystem::is_empty(tiny / "new"));
}

TEST_CASE("a command whose reader does not read heeds a signal") {
  const test::TinyRun tiny;
  const std::string pipe = (tiny / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::fcntl(reader, F_SETPIPE_SZ, 4096) >= 0);
  test::RunningCommand running(test::in_shell("exec \"$@\" >" + pipe, {"docs", "schedule"}));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  running.send(SIGTERM);
  const auto result = running.wait();
  ::close(reader);
  INFO(result.err);
  CHECK_FALSE(result.timed_out);
  CHECK(result.exit_code == 85);
}
