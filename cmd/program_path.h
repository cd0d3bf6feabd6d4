// Where is this program? Scripts that start it again need its path.
#pragma once

#include <string>

#include "io/file.h"

namespace stagedtrain::cmd {

// Returns the absolute path, so that a script can start the program from any folder, or the bare
// name if the system does not provide the path.
inline std::string program_path() {
  std::error_code failed;
  const Path self = std::filesystem::read_symlink("/proc/self/exe", failed);
  return failed ? "stagedtrain" : self.string();
}

}  // namespace stagedtrain::cmd
