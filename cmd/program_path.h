// Where this program lies, for scripts that start it again.
#pragma once

#include <string>

#include "base/file.h"

namespace stagedtrain::cmd {

// Absolute, so that a script finds it in any folder; the bare name where the system does not tell.
inline std::string program_path() {
  std::error_code failed;
  const Path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? "stagedtrain" : self.string();
}

}  // namespace stagedtrain::cmd
