// Issue 14, A3: files that somebody shortens, or writes anew, while they are used.
#include <chrono>
#include <thread>

#include "checkpoint/checkpoint.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using test::contains;

TEST_CASE("a token file that is shortened while it trains ends the run with its state saved") {
  const test::TinyRun tiny;
  const std::string schedule = (tiny / "tiny.yaml").string(), run = (tiny / "run").string();
  test::write_text(schedule, tiny.yaml());
  const std::string file = GENERATE("train.bin", "validation.bin");
  const std::filesystem::path path = tiny / ("data/" + file);
  const std::string whole = test::read_text(path);
  test::RunningCommand running(
      {.arguments = {test::program(), "train", schedule, "--out", run, "--set",
                     "stages.small.for=1000000", "--set", "evaluate.every=50"}});
  for (int i = 0; i < 6000 && !contains(test::read_text(run + "/run.jsonl"), "\"step\":20,"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::filesystem::resize_file(path, 64);
  const auto result = running.wait();
  INFO(result.err);
  CHECK(result.exit_code == 3);
  CHECK(contains(result.err, file + ": "));
  CHECK(contains(result.err, "saved " + run + "/checkpoints/step-"));
  std::size_t saved = 0;
  for (const auto& entry : std::filesystem::directory_iterator(run + "/checkpoints"))
    saved += state::CheckpointReader(entry.path()).header().progress.step >= 20;
  CHECK(saved >= 1);
}
