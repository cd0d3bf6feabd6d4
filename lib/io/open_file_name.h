// Does an open file still have its name?
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "io/file.h"

namespace stagedtrain {

// Returns false if the path names another file or none, and nothing, with errno set, if the system
// cannot say.
inline std::optional<bool> names_open_file(const Path& path, int fd) {
  struct stat held {
  }, named{};
  if (::fstat(fd, &held) != 0) return {};
  if (::stat(path.c_str(), &named) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return {};
  }
  return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace stagedtrain
