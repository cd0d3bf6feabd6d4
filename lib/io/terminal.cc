// Writes to standard error without a buffer, so that nothing is lost if the process is killed.
#include "io/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "text/text.h"

namespace stagedtrain {
namespace {

void write_to_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void print_to_stderr(std::string_view text) { write_to_stderr(for_terminal(text)); }

bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void RewrittenLine::show(std::string text) {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  text.resize(std::min<std::size_t>(text.size(), known ? size.ws_col - 1 : 79));
  write_to_stderr("\r" + for_terminal(text) + "\033[K");
  shown_ = true;
}

void RewrittenLine::clear() {
  if (shown_) write_to_stderr("\r\033[K");
  shown_ = false;
}

}  // namespace stagedtrain
