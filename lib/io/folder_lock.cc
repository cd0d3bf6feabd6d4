// Locks a folder with flock on a file in it.
#include "io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/open_file_name.h"
#include "text/text.h"

namespace stagedtrain {
namespace {

// Returns the process ID that the holder wrote into the file, or "unknown".
std::string holder_of(int fd) {
  char text[32] = {};
  if (::pread(fd, text, sizeof text - 1, 0) < 0) text[0] = '\0';
  const std::string holder(trim(text));
  return holder.empty() || holder.find_first_not_of("0123456789") != std::string::npos ? "unknown"
                                                                                       : holder;
}

int open_lock(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0)
    throw resource_error("{}: cannot open for writing: {}", path.string(), std::strerror(errno));
  return fd;
}

// Returns 0 or the errno of the refusal.
int try_lock(int fd) {
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

}  // namespace

FolderLock::FolderLock(const Path& folder) : folder_(folder) {
  const Path path = folder / "lock";
  // Repeats if the file was removed or replaced between opening and locking it.
  do {
    if (fd_ >= 0) ::close(fd_);
    fd_ = open_lock(path);
    if (const int code = try_lock(fd_)) {
      const std::string holder = holder_of(fd_);
      ::close(fd_);
      if (code == EWOULDBLOCK)
        throw make_error(ErrorKind::locked, "{}: another run is using this folder (process {})",
                         folder.string(), holder)
            .with_hint("wait for it, stop it, or give another --out");
      Error error = resource_error("{}: cannot lock: {}", path.string(), std::strerror(code));
      if (code == ENOLCK || code == EOPNOTSUPP || code == ENOSYS)
        error = error.with_hint(
            "this file system does not support locks (flock), so two runs could destroy each "
            "other's files; choose an --out on another file system, such as a local disk");
      throw error;
    }
  } while (!is_in_place());
  const std::string self = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, self.data(), self.size(), 0) < 0) {
    // The process ID only helps whoever waits; the lock is held without it.
  }
}

FolderLock::~FolderLock() { ::close(fd_); }

bool FolderLock::is_in_place() const {
  const Path path = folder_ / "lock";
  const std::optional<bool> in_place = names_open_file(path, fd_);
  if (!in_place)
    throw resource_error("{}: cannot check the lock: {}", path.string(), std::strerror(errno));
  return *in_place;
}

void FolderLock::check() const {
  if (is_in_place()) return;
  throw make_error(ErrorKind::locked,
                   "{}: the file lock was removed or replaced while this run used the folder, so "
                   "another run may be using it too",
                   folder_.string())
      .with_hint("make sure that no other run uses the folder, then run the same command again");
}

}  // namespace stagedtrain
