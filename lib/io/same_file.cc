// Compares by inode where both exist, else by canonical name.
#include "io/same_file.h"

#include <system_error>

#include "base/error.h"

namespace stagedtrain {

bool same_file(const Path& a, const Path& b) {
  std::error_code none;
  return std::filesystem::equivalent(a, b, none) ||
         std::filesystem::weakly_canonical(a, none) == std::filesystem::weakly_canonical(b, none);
}

void refuse_own_source(const Path& source, const Path& target, const char* what) {
  if (same_file(source, target))
    throw usage_error("{}: is {} never replaces its source", target.string(), what)
        .with_hint("choose another name");
}

}  // namespace stagedtrain
