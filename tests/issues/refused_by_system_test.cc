// Issue 14, A2, A13 and A17: no threads, no large files, no current folder, absurd numbers.
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/refused.h"
#include "support/refused_calls.h"
#include "support/shell.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::contains;

namespace {

struct Files {
  test::TinyRun tiny;
  std::string schedule = (tiny / "tiny.yaml").string(), run = (tiny / "run").string();
  Files() { test::write_text(schedule, tiny.yaml()); }
};

// 0 if the command succeeds where no thread can be started, within 60 s.
int without_threads(const std::vector<std::string>& words) {
  return test::exit_code_of_child(
      [&] {
        test::refuse_threads();
        const auto result = test::stagedtrain(words);
        if (result.exit_code != 0) std::fprintf(stderr, "%s\n", result.err.c_str());
        return result.exit_code;
      },
      60);
}

}  // namespace

TEST_CASE("train and grow work where no thread can be started") {
  const Files files;
  test::check_child(without_threads({"train", files.schedule, "--out", files.run, "--threads", "4",
                                     "--set", "checkpoint.every=2"}));
  const std::string grown = (files.tiny / "grown.h5").string();
  test::check_child(without_threads(
      {"grow", files.run + "/stages/small.h5", grown, "--operator", "depth", "--layers", "3"}));
  test::check_child(without_threads({"show", grown}));
}

TEST_CASE("a limit on file sizes ends a run with code 4 and the reason, not by a signal") {
  const Files files;
  const auto result = test::run(
      test::in_shell("ulimit -f 16; exec \"$@\"", {"train", files.schedule, "--out", files.run}));
  INFO(result.err);
  CHECK(result.exit_code == 4);
  CHECK(contains(result.err, "File too large"));
  CHECK(contains(result.err, "ulimit -f"));
}

TEST_CASE("too little memory is told as that") {
  const Files files;
  const std::string checkpoint = (files.tiny / "a.h5").string();
  state::save(checkpoint, state::fresh(files.tiny.plan().stages[0].model, 1));
  const auto result = test::run(test::in_shell("ulimit -v 20000; exec \"$@\"",
                                               {"grow", checkpoint, (files.tiny / "b.h5").string(),
                                                "--operator", "depth", "--layers", "2"}));
  INFO(result.err);
  CHECK(result.exit_code != 1);
  CHECK_FALSE(contains(result.err, "faulty"));
}

TEST_CASE("a current folder that was removed is said, before LibTorch ends the process") {
  const Files files;
  auto command = test::in_shell("mkdir gone && cd gone && rmdir ../gone && exec \"$@\"",
                                {"train", files.schedule, "--out", files.run});
  command.folder = files.tiny.path();
  const auto result = test::run(command);
  INFO(result.err);
  CHECK(result.exit_code == 4);
  CHECK(contains(result.err, "the current folder cannot be used"));
}

TEST_CASE("a number of threads that no machine has is refused at once") {
  const Files files;
  const std::string threads = GENERATE("0", "-1", "4096", "1.5", "many");
  const auto result =
      test::stagedtrain({"train", files.schedule, "--out", files.run, "--threads=" + threads});
  test::check_refused(result, 2, "found '" + threads + "'; expected 1 to ");
}

TEST_CASE("a stage name that cannot name a file is refused before anything is trained") {
  const Files files;
  const std::string yaml = files.tiny.yaml();
  const auto named = [&](std::size_t letters) {
    std::string text = yaml;
    const std::size_t at = text.find("small");
    REQUIRE(at != std::string::npos);
    text.replace(at, 5, std::string(letters, 'x'));
    test::write_text(files.schedule, text);
    return test::stagedtrain({"train", files.schedule, "--out", files.run});
  };
  test::check_refused(named(240), 2, "found 240 letters, expected at most 100");
  CHECK_FALSE(std::filesystem::exists(files.run));
  CHECK(named(100).exit_code == 0);
}
