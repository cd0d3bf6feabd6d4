// Found 2026-11-27 (issue 14, A11): `grow --dry-run` to 65,536 layers took minutes and 12 GB, and
// Ctrl-C was not heeded.
#include <chrono>
#include <csignal>
#include <thread>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/temp_dir.h"
#include "support/tiny_state.h"

using namespace stagedtrain;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The growth of a tiny checkpoint, whose output goes nowhere. It may use 4 GB of address space and
// 60 seconds of processor time (15 are enough), however much else the machine has to do.
test::Command huge(const test::TempDir& dir, const std::string& options) {
  const std::string small = (dir / "small.h5").string();
  state::save(small, test::tiny_state());
  return {.arguments = {"bash", "-c",
                        "ulimit -v 4000000 -t 60; exec " + test::program() + " grow " + small +
                            " --dry-run " + options + " > /dev/null"},
          .timeout_seconds = 600};
}

}  // namespace

TEST_CASE("a growth to 65,536 layers is shown within seconds and a few GB") {
  const test::TempDir dir;
  for (const char* options :
       {"--operator depth --layers 65536", "--operator depth --layers 65536 --json"}) {
    CAPTURE(options);
    const auto result = test::run(huge(dir, options));
    INFO(result.err);
    CHECK(result.exit_code == 0);
  }
}

TEST_CASE("Ctrl-C ends the showing of a huge growth") {
  const test::TempDir dir;
  for (const int after : {1500, 4000}) {
    CAPTURE(after);
    test::RunningCommand command(huge(dir, "--operator stack --layers 65536 --json"));
    std::this_thread::sleep_for(std::chrono::milliseconds(after));
    const auto start = Clock::now();
    command.send(SIGINT);
    const auto result = command.wait();
    INFO(result.err);
    CHECK((result.exit_code == 85 || result.exit_code == 0));
    CHECK(seconds_since(start) < 10);
  }
}
