// The main of every test program.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

#include "support/skip.h"

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;  // ctest's SKIP_RETURN_CODE
  // Catch returns the number of failures, which could be that of a skip.
  const bool failed = Catch::Session().run(argc, argv) != 0;
  return failed ? 1 : stagedtrain::test::skipped() ? kSkipped : 0;
}
