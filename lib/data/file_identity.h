// Which file a path names at this moment, cheap enough to ask before every save.
#pragma once

#include <cstdint>
#include <optional>

#include "base/file.h"

namespace stagedtrain::data {

// Two equal identities mean the same file, not written to in between. A file that is replaced
// (renamed over) gets another inode; one that is overwritten in place gets another time of its last
// write, in nanoseconds. A write that restores size and time on purpose is not seen.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0;  // since 1970
  bool operator==(const FileIdentity&) const = default;
};

// Nothing if there is no such file, or if it cannot be asked about.
std::optional<FileIdentity> file_identity(const Path& path);

}  // namespace stagedtrain::data
