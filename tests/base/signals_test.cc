// The sticky stop request.
#include "base/signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>

#include "io/file.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"

using namespace stagedtrain;
using Clock = std::chrono::steady_clock;

namespace {

// Ends a test without a request left behind.
struct Reset {
  ~Reset() { reset_stop_request(); }
};

// The wait status of a child that runs f.
template <class F>
int child_status(F f) {
  const pid_t child = ::fork();
  if (child == 0) {
    f();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("a stop point passes until a stop is requested, then throws and keeps throwing") {
  const Reset reset;
  reset_stop_request();
  CHECK_NOTHROW(stop_point("working"));
  reset_stop_request(SIGTERM);
  CHECK(stop_requested() == SIGTERM);
  for (int i = 0; i < 2; ++i) {
    const std::string message =
        test::refusal(ErrorKind::interrupted, [] { stop_point("drawing a map"); });
    CHECK(message.starts_with("stopped by SIGTERM while drawing a map"));
  }
  reset_stop_request(SIGINT);
  CHECK(test::refusal(ErrorKind::interrupted, [] {
          stop_point("drawing a map");
        }).starts_with("interrupted while drawing a map"));
}

TEST_CASE("a process that leaves slowly after a heeded stop is not told to have written nothing") {
  const test::TempDir folder;
  const std::string marker = (folder / "left").string();
  const int status = child_status([&] {
    install_stop_signals();
    try {
      const StopPointsOnly until_saved;
      std::raise(SIGTERM);
      stop_point("training");
    } catch (const Error&) {
    }
    for (const auto end = Clock::now() + std::chrono::milliseconds(1500); Clock::now() < end;)
      ::usleep(10000);
    OutputFile(marker, OutputFile::Mode::create_new).close();
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(std::filesystem::exists(marker));
}

TEST_CASE("the first stop signal only sets the flag") {
  const int signal = GENERATE(SIGTERM, SIGUSR1, SIGINT, SIGHUP);
  const int status = child_status([&] {
    install_stop_signals();
    std::raise(signal);
    ::_exit(stop_requested() == signal ? 0 : 1);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("the same request told twice is one request") {
  const auto [first, second] = GENERATE(table<int, int>(
      {{SIGTERM, SIGTERM}, {SIGINT, SIGINT}, {SIGUSR1, SIGTERM}, {SIGHUP, SIGTERM}}));
  const int status = child_status([&] {
    install_stop_signals();
    std::raise(first);
    std::raise(second);
    ::_exit(stop_requested() == first ? 0 : 1);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a second stop signal ends the process at once, a tenth of a second later by SIGINT") {
  const auto [second, milliseconds] = GENERATE(table<int, int>({{SIGINT, 200}, {SIGTERM, 1200}}));
  const int status = child_status([&] {
    install_stop_signals();
    const StopPointsOnly until_saved;
    std::raise(SIGUSR1);
    const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
    while (Clock::now() < end) continue;
    std::raise(second);
    ::pause();
  });
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == second);
}

TEST_CASE(
    "a signal that no stop point heeds ends the process with 85, and removes what is half done") {
  const test::TempDir folder;
  const bool is_saving = GENERATE(false, true);
  const int status = child_status([&] {
    ::close(STDERR_FILENO);
    install_stop_signals();
    std::optional<StopPointsOnly> until_saved;
    if (is_saving) until_saved.emplace();
    const AtomicFile half(folder / "a");
    std::raise(SIGTERM);
    const auto end = Clock::now() + std::chrono::milliseconds(1500);
    while (Clock::now() < end) continue;
    if (!std::filesystem::exists(half.path())) ::_exit(2);
    until_saved.reset();  // from now on nothing is to be saved
    for (;;) ::pause();
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 85);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("SIGHUP stops as SIGTERM does, unless nohup ignored it") {
  const bool ignored = GENERATE(false, true);
  const int status = child_status([&] {
    if (ignored) std::signal(SIGHUP, SIG_IGN);
    install_stop_signals();
    std::raise(SIGHUP);
    ::_exit(stop_requested() == (ignored ? 0 : SIGHUP) ? 0 : 1);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("SIGCONT and SIGPIPE change nothing") {
  const int status = child_status([] {
    install_stop_signals();
    std::raise(SIGCONT);
    std::raise(SIGPIPE);
    ::_exit(stop_requested() == 0 ? 0 : 1);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
