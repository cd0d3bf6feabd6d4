// Prints progress to standard error.
#include "cmd/progress.h"

#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "cmd/output.h"
#include "text/text.h"

namespace stagedtrain::cmd {

void ByteProgress::update(const char* what, std::uint64_t done, std::uint64_t total) {
  const auto now = Clock::now();
  if (what_ != what) {
    what_ = what;
    begun_ = now;
  }
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double since = std::chrono::duration<double>(now - shown_).count();
  if (since < (!terminal ? 20 : on_screen_ ? 0.2 : 1) || seconds <= 0 || done == 0) return;
  shown_ = now;
  const double speed = static_cast<double>(done) / seconds;
  const double left = static_cast<double>(total - done) / speed;
  const std::string text = fmt::format(
      "{} {} of {} ({:.0f}%), {}/s, {} left", what, short_bytes(static_cast<double>(done)),
      short_bytes(static_cast<double>(total)),
      100 * static_cast<double>(done) / static_cast<double>(total), short_bytes(speed),
      short_seconds(left));
  if (!terminal) return cmd::print_to_stderr(text + "\n");
  std::fprintf(stderr, "\r%s\033[K", text.c_str());
  on_screen_ = true;
}

void ByteProgress::clear() {
  if (on_screen_) std::fputs("\r\033[K", stderr);
  on_screen_ = false;
}

}  // namespace stagedtrain::cmd
