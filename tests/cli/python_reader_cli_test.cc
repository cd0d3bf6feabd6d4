// The Python reader under python/, on a run that this build has trained.
#include <cstdlib>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/command.h"
#include "support/skip.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("the Python reader reads checkpoints and run logs, and so do the snippets of the docs") {
  const std::string source = std::getenv("STAGEDTRAIN_SOURCE");
  // Debian's h5py is an old one; scripts/setup.sh --tests makes a Python with a new one.
  std::vector<std::string> pythons;
  for (const std::string& name : {std::string("python3"), std::string("/usr/bin/python3"),
                                  source + "/.deps/readers/bin/python"})
    if (test::run({.arguments = {name, "-c", "import h5py, numpy"}}).exit_code == 0)
      pythons.push_back(name);
  if (pythons.empty()) return test::skip("no Python with h5py (apt-get install python3-h5py)");
  const test::TinyRun run;
  test::write_text(run / "s.yaml", run.yaml());
  const auto trained = test::stagedtrain(
      {"train", (run / "s.yaml").string(), "--out", (run / "run").string()});
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  for (const std::string& python : pythons) {
    const auto result =
        test::run({.arguments = {python, "-B", source + "/python/test_stagedtrain_h5.py",
                                 (run / "run").string(), source + "/docs"}});
    INFO(python << ": " << result.err);
    CHECK(result.exit_code == 0);
  }
}
