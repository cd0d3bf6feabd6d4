// Tests that cannot run here say so: their ctest entry is shown as skipped, never as passed.
#pragma once

#include <cstdlib>
#include <string>

#include "support/catch.h"

namespace stagedtrain::test {

// Whether a test case of this program has skipped itself. main then ends with 77 (ctest's
// SKIP_RETURN_CODE) unless a test failed.
inline bool& skipped() {
  static bool any = false;
  return any;
}

// Call it and return from the test case.
inline void skip(const std::string& reason) {
  skipped() = true;
  WARN("skipped: " << reason);
}

// Whether the program is in PATH; skips the test case if not. Use as
//   if (!test::has_program("gnuplot", "gnuplot-nox")) return;
inline bool has_program(const std::string& program, const std::string& package) {
  if (std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0) return true;
  skip(program + " is not installed (apt-get install " + package + ")");
  return false;
}

}  // namespace stagedtrain::test
