// The sticky stop request.
#include "base/signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;

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
    CHECK(message.starts_with("stopped by signal 15 while drawing a map"));
  }
}

TEST_CASE("the first stop signal only sets the flag") {
  const int signal = GENERATE(SIGTERM, SIGUSR1, SIGINT);
  const int status = child_status([&] {
    install_stop_signals();
    std::raise(signal);
    ::_exit(stop_requested() == signal ? 0 : 1);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a second stop signal ends the process at once") {
  const int status = child_status([] {
    install_stop_signals();
    std::raise(SIGUSR1);
    std::raise(SIGTERM);
    ::pause();
  });
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
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
