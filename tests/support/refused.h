// How a command that must be refused has to end.
#pragma once

#include <string>

#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"

namespace stagedtrain::test {

// Checks that it left with this code, said this on stderr and printed no result.
inline void check_refused(const CommandResult& result, int code, const std::string& says) {
  INFO(result.err);
  CHECK(result.exit_code == code);
  CHECK(contains(result.err, says));
  CHECK(result.out.empty());
}

}  // namespace stagedtrain::test
