// The Python reader under python/, on a run that this build has trained.
#include <cstdlib>

#include "support/catch.h"
#include "support/command.h"
#include "support/skip.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("the Python reader reads checkpoints and run logs, and so do the snippets of the docs") {
  // The system's Python has Debian's h5py; another one may be first in PATH.
  std::string python;
  for (const char* name : {"python3", "/usr/bin/python3"})
    if (python.empty() &&
        test::run({.arguments = {name, "-c", "import h5py, numpy"}}).exit_code == 0)
      python = name;
  if (python.empty()) return test::skip("no Python with h5py (apt-get install python3-h5py)");
  const test::TinyRun run;
  test::write_text(run / "s.yaml", run.yaml());
  const auto trained = test::stagedtrain(
      {"train", (run / "s.yaml").string(), "--out", (run / "run").string()});
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  const std::string source = std::getenv("STAGEDTRAIN_SOURCE");
  const auto result = test::run({.arguments = {python, "-B", source + "/python/test_stagedtrain_h5.py",
                                               (run / "run").string(), source + "/docs"}});
  INFO(result.err);
  CHECK(result.exit_code == 0);
}
