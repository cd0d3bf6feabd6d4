// Makes files appear completely or not at all, and removes what killed processes left behind.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "io/file.h"
#include "io/temporary_name.h"

namespace stagedtrain {
namespace {

constexpr std::string_view kMark = ".tmp-";

// Returns the target of a temporary file's name, or "" for any other name. Accepts the names of
// older versions too, TARGET.tmp-PID-N.
std::string_view target_of(std::string_view name) {
  const std::size_t mark = name.rfind(kMark);
  if (mark == std::string_view::npos || mark == 0) return {};
  std::string_view rest = name.substr(mark + kMark.size());
  const std::size_t dash = rest.find('-');
  const bool old_name = dash != std::string_view::npos;
  if (old_name && (dash == 0 || dash + 1 == rest.size() ||
                   rest.substr(0, dash).find_first_not_of("0123456789") != rest.npos ||
                   rest.substr(dash + 1).find_first_not_of("0123456789") != rest.npos))
    return {};
  if (!old_name &&
      (rest.size() != 16 || rest.find_first_not_of("0123456789abcdef") != std::string_view::npos))
    return {};
  return name.substr(0, mark);
}

// Removes a temporary file unless a process holds its lock; a folder too, but only one whose name
// nobody else would choose.
void remove_if_left(const Path& path, bool may_be_folder) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return;
  struct stat status {};
  std::error_code ignored;
  if (::fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || (may_be_folder && S_ISDIR(status.st_mode))) &&
      ::flock(fd, LOCK_EX | LOCK_NB) == 0)
    std::filesystem::remove_all(path, ignored);
  ::close(fd);
}

// Removes leftovers of the target with this file name, or of all targets if it is "".
void remove_leftovers_in(const Path& folder, const std::string& target) try {
  std::error_code error;
  std::filesystem::directory_iterator entries(folder.empty() ? Path(".") : folder, error), end;
  for (; !error && entries != end; entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    const std::string_view found = target_of(name);
    const bool is_random = name.find('-', found.size() + kMark.size()) == std::string::npos;
    if (!found.empty() && (target.empty() || found == target))
      remove_if_left(entries->path(), is_random);
  }
} catch (const std::exception&) {
  // The next command can remove them instead.
}

}  // namespace

Path temporary_name(const Path& target) {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, GRND_NONBLOCK) != sizeof bits) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    bits = static_cast<std::uint64_t>(now.tv_nsec) << 32 ^ static_cast<std::uint64_t>(now.tv_sec) ^
           static_cast<std::uint64_t>(::getpid()) << 16;
  }
  Path name = target;
  name += fmt::format("{}{:016x}", kMark, bits);
  return name;
}

bool hold_temporary(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return true;
  }
  struct stat status {};
  return ::fstat(descriptor, &status) != 0 || status.st_nlink > 0;
}

void remove_leftovers(const Path& folder) { remove_leftovers_in(folder, ""); }
void remove_leftovers_of(const Path& target) {
  remove_leftovers_in(target.parent_path(), target.filename().string());
}

AtomicFile::AtomicFile(Path target, Replace replace)
    : target_(std::move(target)), replace_(replace) {
  remove_leftovers_of(target_);
  do {
    temporary_ = temporary_name(target_);
    held_ = std::make_unique<OutputFile>(temporary_, OutputFile::Mode::create_new);
  } while (!hold_temporary(held_->descriptor()));
  removed_.emplace(temporary_.c_str());
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  held_->sync();
  rename_file(temporary_, target_, replace_);
  committed_ = true;
  removed_.reset();
  held_.reset();
  sync_folder(target_.parent_path());
}

void write_file_atomically(const Path& target, std::string_view text, Replace replace) {
  AtomicFile file(target, replace);
  {
    OutputFile out(file.path(), OutputFile::Mode::existing);
    out.write_at(0, std::as_bytes(std::span(text)));
    out.sync();
    // Drops the file from the page cache, so that the disk is read.
    ::posix_fadvise(out.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    out.close();
  }
  if (read_text_file(file.path()) != text)
    throw resource_error("{}: what was read back is not what was written", file.path().string())
        .with_hint("the disk or its file system is faulty, or full; the older file was kept");
  file.commit();
}

}  // namespace stagedtrain
