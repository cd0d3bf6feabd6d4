// Writes results directly to the file descriptor. Nothing is buffered, so no failed write goes
// unnoticed at the end of the process.
#include "cmd/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

// Returns 0 or the errno of the failed write.
int write_to_stdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void print_bytes(std::string_view bytes) {
  const int code = write_to_stdout(bytes);
  if (code && code != EPIPE)
    throw resource_error("standard output: cannot write: {}", std::strerror(code))
        .with_hint("free some space, or send the output elsewhere, and run the same command again");
}

void print(std::string_view text) { print_bytes(for_terminal(text)); }

}  // namespace stagedtrain::cmd
