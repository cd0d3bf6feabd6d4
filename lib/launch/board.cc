// Keeps the texts in a memfd, one on each line: "said PROCESS TEXT", or "lost".
#include "launch/board.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <span>

#include "base/crc32c.h"
#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::dist {
namespace {

constexpr const char* kLost = "lost";

}  // namespace

int Board::make() {
  const auto descriptor = static_cast<int>(::syscall(SYS_memfd_create, "stagedtrain", 0));
  if (descriptor >= 0) ::fcntl(descriptor, F_SETFL, O_APPEND);
  return descriptor;
}

Board Board::of_this_process() {
  const char* text = std::getenv(kBoardVariable);
  const auto descriptor = parse_count(text ? text : "");
  return Board(descriptor && *descriptor > 2 ? static_cast<int>(*descriptor) : -1);
}

// A descriptor that is full or was closed loses the line, and texts are then printed more than
// once.
void Board::append(const std::string& line) const {
  const std::string text = line + "\n";
  if (descriptor_ >= 0 && ::write(descriptor_, text.data(), text.size()) < 0) return;
}

std::vector<std::string> Board::lines() const {
  struct stat about {};
  if (descriptor_ < 0 || ::fstat(descriptor_, &about) != 0) return {};
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  const ssize_t read = ::pread(descriptor_, text.data(), text.size(), 0);
  text.resize(read > 0 ? static_cast<std::size_t>(read) : 0);
  return split(text, '\n');
}

bool Board::says_first(const std::string& text) const {
  const std::string what =
      fmt::format(" {:08x}-{}", crc32c(std::as_bytes(std::span(text))), text.size());
  const std::string own = fmt::format("said {}{}", ::getpid(), what);
  append(own);
  for (const std::string& line : lines())
    if (line.starts_with("said ") && line.ends_with(what)) return line == own;
  return true;
}

void Board::post_loss() const { append(kLost); }

bool Board::has_loss() const {
  for (const std::string& line : lines())
    if (line == kLost) return true;
  return false;
}

}  // namespace stagedtrain::dist
