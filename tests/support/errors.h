// What an expression that must be refused says.
#pragma once

#include <string>

#include "base/error.h"
#include "support/catch.h"

namespace stagedtrain::test {

// Runs f, requires that it throws Error of this kind, and returns message and hint in one line.
template <class F>
std::string refusal(ErrorKind kind, F f) {
  try {
    f();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return std::string(error.what()) + " | " + error.hint();
  }
  FAIL("nothing was refused");
  return "";
}

}  // namespace stagedtrain::test
