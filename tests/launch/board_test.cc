// What ranks and their launcher tell each other before there is a store.
#include "launch/board.h"

#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.h"

using namespace stagedtrain;
using dist::Board;

namespace {

// Whether another process, which inherits the descriptor, is the first to say this text.
bool another_says_first(int descriptor, const std::string& text) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(Board(descriptor).says_first(text) ? 1 : 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WEXITSTATUS(status) == 1;
}

}  // namespace

TEST_CASE("of several processes one is the first to say a text") {
  const int descriptor = Board::make();
  REQUIRE(descriptor >= 0);
  CHECK(another_says_first(descriptor, "no such file"));
  CHECK_FALSE(another_says_first(descriptor, "no such file"));
  CHECK_FALSE(Board(descriptor).says_first("no such file"));
  CHECK(Board(descriptor).says_first("no such file\nwith a hint"));
  CHECK_FALSE(another_says_first(descriptor, "no such file\nwith a hint"));
  ::close(descriptor);
}

TEST_CASE("a loss is known to all that share the board") {
  const int descriptor = Board::make();
  REQUIRE(descriptor >= 0);
  Board(descriptor).says_first("lost");
  CHECK_FALSE(Board(descriptor).has_loss());
  Board(descriptor).post_loss();
  CHECK(Board(descriptor).has_loss());
  ::close(descriptor);
}

TEST_CASE("without a board every process speaks, and nothing is lost") {
  const Board none(-1);
  none.post_loss();
  CHECK(none.says_first("no such file"));
  CHECK(none.says_first("no such file"));
  CHECK_FALSE(none.has_loss());
}
