// Prints progress to standard error.
#include "cmd/progress.h"

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::cmd {

void ByteProgress::update(const char* what, std::uint64_t done, std::uint64_t total) {
  const auto now = Clock::now();
  if (what_ != what) {
    what_ = what;
    begun_ = now;
  }
  const bool terminal = stderr_is_terminal();
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  const double since = std::chrono::duration<double>(now - shown_).count();
  if (since < (!terminal ? 20 : line_.shown() ? 0.2 : 1) || seconds <= 0 || done == 0) return;
  shown_ = now;
  const double speed = static_cast<double>(done) / seconds;
  const double left = static_cast<double>(total - done) / speed;
  const std::string text = fmt::format(
      "{} {} of {} ({:.0f}%), {}/s, {} left", what, short_bytes(static_cast<double>(done)),
      short_bytes(static_cast<double>(total)),
      100 * static_cast<double>(done) / static_cast<double>(total), short_bytes(speed),
      short_seconds(left));
  if (!terminal) return print_to_stderr(text + "\n");
  line_.show(text);
}

}  // namespace stagedtrain::cmd
