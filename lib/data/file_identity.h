// Does a path still name the same, unmodified file? Asking is cheap enough for every save.
#pragma once

#include <cstdint>
#include <optional>

#include "io/file.h"

namespace stagedtrain::data {

// Equal identities mean that a path names the same file and that it was not written in between.
// Replacing the file by a rename changes the inode; overwriting it in place changes the
// modification time. A write that then restores both size and modification time is not detected.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0;  // modification time since 1970
  bool operator==(const FileIdentity&) const = default;
};

// Returns nothing if the file does not exist or stat fails.
std::optional<FileIdentity> file_identity(const Path& path);

}  // namespace stagedtrain::data
