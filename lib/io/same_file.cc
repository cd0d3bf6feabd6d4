// Compares by inode where both exist, else by canonical name.
#include "io/same_file.h"

#include <system_error>

namespace stagedtrain {

bool same_file(const Path& a, const Path& b) {
  std::error_code none;
  return std::filesystem::equivalent(a, b, none) ||
         std::filesystem::weakly_canonical(a, none) == std::filesystem::weakly_canonical(b, none);
}

}  // namespace stagedtrain
