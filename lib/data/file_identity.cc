// Reads a file's identity with stat(2).
#include "data/file_identity.h"

#include <sys/stat.h>

namespace stagedtrain::data {

std::optional<FileIdentity> file_identity(const Path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  return FileIdentity{.device = status.st_dev,
                      .inode = status.st_ino,
                      .size = static_cast<std::uint64_t>(status.st_size),
                      .modified_ns = status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec};
}

}  // namespace stagedtrain::data
