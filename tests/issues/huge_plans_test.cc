// Found 2026-11-28: plans of huge models took minutes and 12 GB, and did not heed Ctrl-C.
#include <chrono>
#include <csignal>
#include <thread>

#include "support/catch.h"
#include "support/command.h"
#include "support/schedules.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;

namespace {

// plan with at most 1 GiB of address space beyond what the program maps, and 20 s of processor
// time.
test::CommandResult plan(const test::TempDir& folder, const std::vector<std::string>& edits,
                         const std::vector<std::string>& more = {}) {
  test::write_text(folder / "one.yaml", R"(data: {train: none.bin, validation: none.bin}
model: {architecture: gpt2, layers: 2, width: 32, heads: 2, context: 64, vocab: 256}
batch: {sequences: 16}
stages: [{name: whole, for: 1000 steps}]
)");
  std::vector<std::string> words = {
      "bash",          "-c",   "ulimit -v 2000000 -t 20; exec \"$@\"", "limited",
      test::program(), "plan", (folder / "one.yaml").string()};
  for (const std::string& edit : edits) words.insert(words.end(), {"--set", edit});
  words.insert(words.end(), more.begin(), more.end());
  return test::run({.arguments = words, .timeout_seconds = 200});
}

}  // namespace

TEST_CASE("huge models and long ramps are planned in seconds and little memory") {
  const test::TempDir folder;
  const std::vector<std::vector<std::string>> huge = {
      {"model.layers=65536"},
      {"model.layers=64", "model.experts=65536"},
      {"model.layers=65536", "model.experts=4096", "model.experts_per_token=2"},
      {"model.context=16777213", "batch.length_warmup={start: 1, over: 1e6}",
       "stages.whole.for=2e6"},
      {"model.context=16777213", "batch.length_warmup={start: 1, over: 1e6}",
       "batch.size_warmup={start: 1, over: 1e6}", "stages.whole.for=1e14 tokens",
       "lr.warmup=1e12 tokens", "evaluate.every=1e9 tokens", "checkpoint.every=1e11 tokens"},
      {"model.context=16777216", "batch.length_warmup={start: 3, over: 999999}",
       "stages.whole.for=1e22 flops"},
  };
  for (const auto& edits : huge) {
    INFO(edits.front());
    const auto result = plan(folder, edits);
    INFO(result.err);
    CHECK_FALSE(result.timed_out);
    CHECK(result.exit_code == 0);
  }
  for (const auto& edits : {huge[0], {"model.layers=55440", "model.width=5040", "model.heads=2520"}}) {
    INFO(edits.front());
    const auto result = plan(folder, edits, {"--optimize", "--tokens", "10G"});
    INFO(result.err);
    CHECK_FALSE(result.timed_out);
    CHECK((result.exit_code == 0 || result.exit_code == 2));
  }
}
