// Found 2026-11-25: --force replaced a device or a pipe with a file.
#include <sys/stat.h>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("--force never replaces what is not a regular file") {
  const test::TinyRun tiny;
  const std::string pipe = (tiny / "pipe").string(), checkpoint = (tiny / "a.h5").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::filesystem::create_symlink(pipe, tiny / "link");
  state::save(checkpoint, state::fresh(tiny.plan().stages[0].model, 1));
  const auto refused = [&](const std::vector<std::string>& words) {
    const auto result = test::stagedtrain(words);
    INFO(result.err);
    CHECK(result.exit_code == 2);
    CHECK(test::contains(result.err, "never replaced"));
    CHECK(std::filesystem::is_fifo(pipe));
  };
  refused({"grow", checkpoint, pipe, "--operator", "depth", "--layers", "2", "--force"});
  refused({"grow", checkpoint, (tiny / "link").string(), "--operator", "depth", "--layers", "2",
           "--force"});
  CHECK(std::filesystem::is_symlink(tiny / "link"));
}
