// Issue 14, A7 and A12: temporary files of killed commands, and several commands for one target.
#include <algorithm>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/shell.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::contains;

namespace {

// Leaves what process 1 of a container, killed while it wrote this file, leaves beside it; and what
// a killed process of this version does.
void leave_beside(const std::filesystem::path& target) {
  std::filesystem::create_directories(target.parent_path());
  for (const char* ending : {".tmp-1-0", ".tmp-1-1", ".tmp-00c0ffee00c0ffee"})
    test::write_text(target.string() + ending, "half");
}

std::size_t temporary_files(const std::filesystem::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    count += contains(entry.path().filename().string(), ".tmp-");
  return count;
}

// Runs the command so often at the same time: one succeeds, the others are told of its result.
void check_one_wins(int times, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), test::program());
  std::vector<std::unique_ptr<test::RunningCommand>> running;
  for (int i = 0; i < times; ++i)
    running.push_back(
        std::make_unique<test::RunningCommand>(test::Command{.arguments = arguments}));
  int won = 0;
  for (const auto& command : running) {
    const auto result = command->wait();
    INFO(result.err);
    won += result.exit_code == 0;
    if (result.exit_code != 0) {
      CHECK(result.exit_code == 2);
      CHECK(contains(result.err, "exists already"));
    }
  }
  CHECK(won == 1);
}

}  // namespace

TEST_CASE("the next command to the same target removes what a killed one left") {
  const test::TinyRun tiny;
  const std::string schedule = (tiny / "tiny.yaml").string(), run = (tiny / "run").string();
  test::write_text(schedule, tiny.yaml());
  SECTION("train") {
    leave_beside(run + "/schedule.yaml");
    const auto result = test::stagedtrain({"train", schedule, "--out", run});
    INFO(result.err);
    CHECK(result.exit_code == 0);
  }
  SECTION("data") {
    for (const char* name : {"train.bin", "validation.bin", "text", "ends"})
      leave_beside(tiny / "new" / name);
    const auto result =
        test::run({.arguments = {test::program(), "data", "-", "--out", (tiny / "new").string()},
                   .input = test::made_up_text(20000)});
    INFO(result.err);
    CHECK(result.exit_code == 0);
  }
  SECTION("grow") {
    const std::string from = (tiny / "a.h5").string(), to = (tiny / "b.h5").string();
    state::save(from, state::fresh(tiny.plan().stages[0].model, 1));
    leave_beside(to);
    const auto result =
        test::stagedtrain({"grow", from, to, "--operator", "depth", "--layers", "2"});
    INFO(result.err);
    CHECK(result.exit_code == 0);
  }
  SECTION("export, whose target is a folder") {
    const std::string from = (tiny / "a.h5").string(), to = (tiny / "exported").string();
    state::save(from, state::fresh(tiny.plan().stages[0].model, 1));
    const std::string left = to + ".tmp-00c0ffee00c0ffee";
    std::filesystem::create_directories(left);
    test::write_text(left + "/config.json", "half");
    const auto result = test::stagedtrain({"export", from, to, "--to", "hf"});
    INFO(result.err);
    CHECK(result.exit_code == 0);
  }
  CHECK(temporary_files(tiny.path()) == 0);
}

TEST_CASE("of several that prepare data in one folder at once one wins, the others are refused") {
  const test::TinyRun tiny;
  const std::string text = (tiny / "text").string(), out = (tiny / "new").string();
  test::write_text(text, test::made_up_text(4 << 20));
  check_one_wins(6, {"data", text, "--out", out});
  CHECK(temporary_files(tiny.path()) == 0);
}

TEST_CASE("of several that write one new file at once one wins, the others are refused") {
  const test::TinyRun tiny;
  const std::string from = (tiny / "a.h5").string(), to = (tiny / "b.h5").string();
  state::save(from, state::fresh(tiny.plan().stages[0].model, 1));
  SECTION("grow") { check_one_wins(10, {"grow", from, to, "--operator", "depth", "--layers", "2"}); }
  SECTION("export to a file") { check_one_wins(6, {"export", from, to + ".gguf", "--to", "gguf"}); }
  SECTION("export to a folder") { check_one_wins(6, {"export", from, to + ".hf", "--to", "hf"}); }
  SECTION("import") {
    const std::string model = (tiny / "model").string();
    REQUIRE(test::stagedtrain({"export", from, model, "--to", "hf"}).exit_code == 0);
    check_one_wins(6, {"import", model, to});
  }
  if (std::filesystem::exists(to)) CHECK_NOTHROW(state::load(to));
  CHECK(temporary_files(tiny.path()) == 0);
}
