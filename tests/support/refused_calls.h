// Child processes in which the system refuses something: threads, locks, large files.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "support/catch.h"

namespace stagedtrain::test {

// The exit code of a child in which nothing can be refused.
inline constexpr int kCannotRefuse = 77;

// From now on this process, and every program that it starts, gets this errno from a system call.
// Leaves with kCannotRefuse where filters (seccomp) are not allowed. For forked children only.
void refuse_call(long number, int code);
// The same for starting threads; processes can be started.
void refuse_threads();

// Runs f in a forked child, which leaves with what f returns, or with 99 if it throws. A child that
// has not ended after so many seconds is killed, and the result is 128 + SIGALRM.
template <class F>
int exit_code_of_child(F f, unsigned seconds = 30) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      ::alarm(seconds);
      code = f();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
    } catch (...) {
      std::fprintf(stderr, "in the child: an assertion failed\n");
    }
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Checks that the child did what it should, or says that the test could not run.
inline void check_child(int code) {
  if (code == kCannotRefuse) {
    WARN("SKIP: this process may not install seccomp filters");
    return;
  }
  CHECK(code == 0);
}

}  // namespace stagedtrain::test
