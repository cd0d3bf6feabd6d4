// Training with --sharding full: the same bits as one process, on any number of ranks.
#include <fstream>

#include "support/catch.h"
#include "support/ranks.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;
using test::first_difference;
using test::require_done;

namespace {

// Wide enough that blocks of the model share some of the blocks that ranks own, and have others.
const std::vector<std::string> kWide = {"--set", "model.width=80", "--threads", "1"};

std::vector<std::string> with(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}
const std::vector<std::string> kFull = with(kWide, {"--sharding", "full"});

void check_same_ends(const test::RanksRun& run, const std::string& one, const std::string& other) {
  for (const char* end : {"/stages/small.h5", "/stages/full.h5"}) {
    INFO(other << end);
    CHECK(first_difference(run.folder(one) + end, run.folder(other) + end) == "");
  }
}

// The values of a key in all events of a kind.
std::vector<Json> events(const test::RanksRun& run, const std::string& folder,
                         const std::string& kind, const std::string& key) {
  std::vector<Json> values;
  std::ifstream log(run.folder(folder) + "/run.jsonl");
  for (std::string line; std::getline(log, line);) {
    const Json event = parse_json(line, folder);
    if (event["event"] == kind) values.push_back(event[key]);
  }
  return values;
}

}  // namespace

TEST_CASE("fully sharded, 2, 3 and 4 ranks make the bits of one process without it, and grow") {
  const std::string model =
      GENERATE("architecture: gpt2", "architecture: gpt2, tied: false",
               "architecture: llama, kv_heads: 1", "architecture: olmo2", "architecture: neox",
               "architecture: gpt2, experts: 2, experts_per_token: 1",
               "architecture: llama, experts: 4, experts_per_token: 2, router_loss: 0.01");
  INFO(model);
  const test::RanksRun run(model);
  require_done(run.train("one", 1, kWide));
  for (const int ranks : {2, 3, 4}) {
    const std::string name = "ranks-" + std::to_string(ranks);
    require_done(run.train(name, ranks, kFull));
    check_same_ends(run, "one", name);
  }
}

TEST_CASE(
    "full sharding keeps the bits in bf16, with recomputation, dropout, clipping and AdamW's "
    "scales after an exact growth") {
  const auto more = GENERATE(
      std::vector<std::string>{"--set", "precision=bf16"},
      std::vector<std::string>{"--set", "precision=bf16", "--set", "batch.recompute=blocks"},
      std::vector<std::string>{"--kernels", "reference"},
      std::vector<std::string>{"--kernels", "reference", "--set", "batch.recompute=blocks", "--set",
                               "dropout=0.1"},
      std::vector<std::string>{"--set", "batch.recompute=blocks", "--set", "dropout=0.1"},
      std::vector<std::string>{"--set", "batch.recompute=norms", "--set", "optimizer.clip=0.01"},
      std::vector<std::string>{"--set",
                               "stages.full.grow=[{operator: width, factor: 2, dynamics: exact}]",
                               "--set", "stages.small.model={width: 40, heads: 1}"},
      std::vector<std::string>{"--set", "stages.full.grow=[{operator: llama_pro, groups: 1}]",
                               "--set", "stages.full.train_only=new"});
  INFO(more.back());
  const test::RanksRun run;
  require_done(run.train("one", 1, with(kWide, more)));
  require_done(run.train("two", 2, with(kFull, more)));
  check_same_ends(run, "one", "two");
}

TEST_CASE("fully sharded passes may leave out layers, each rank others") {
  const test::RanksRun run(GENERATE("architecture: gpt2", "architecture: gpt2, tied: false"));
  const std::string kernels = GENERATE("fused", "reference");
  const std::string policy = GENERATE("layer_dropout={max: 0.9, draw: micro}",
                                      "layer_path={layers: 2, keep: [last], draw: micro}");
  // Narrow blocks share what a rank owns with several others.
  const std::string width = GENERATE("32", "80");
  INFO(kernels << ", " << policy << ", width " << width);
  const std::vector<std::string> more = {
      "--threads", "1",
      "--kernels", kernels,
      "--set",     "model.width=" + width,
      "--set",     "stages.small.model={layers: 4}",
      "--set",     "model.layers=5",
      "--set",     "stages.full.grow=[{operator: depth, layers: 5}]",
      "--set",     "stages.small." + policy};
  require_done(run.train("one", 1, more));
  for (const int ranks : {2, 3}) {
    const std::string name = "ranks-" + std::to_string(ranks);
    require_done(run.train(name, ranks, with(more, {"--sharding", "full"})));
    check_same_ends(run, "one", name);
  }
}

TEST_CASE("a fully sharded run keeps the average of the weights, and evaluates it, to the bit") {
  test::RanksRun run;
  run.edits.push_back("ema={decay: 0.9, every: 2}");
  run.edits.push_back("evaluate={every: 5, tokens: 256}");
  const auto more =
      GENERATE(std::vector<std::string>{}, std::vector<std::string>{"--set", "precision=bf16"},
               std::vector<std::string>{"--set",
                                        "stages.full.grow=[{operator: width, "
                                        "factor: 2}]",
                                        "--set", "stages.small.model={width: 40, heads: 1}"});
  require_done(run.train("one", 1, with(kWide, more)));
  for (const int ranks : {2, 3}) {
    const std::string name = "ranks-" + std::to_string(ranks);
    require_done(run.train(name, ranks, with(kFull, more)));
    CHECK(state::CheckpointReader(run.folder(name) + "/stages/full.h5").header().ema);
    check_same_ends(run, "one", name);
    CHECK(events(run, name, "evaluate", "ema_loss") == events(run, "one", "evaluate", "ema_loss"));
  }
}

TEST_CASE("a fully sharded run samples what one process does") {
  test::RanksRun run;
  run.edits.push_back("sample={every: 5, prompts: [the light, a], tokens: 20}");
  const std::string kernels = GENERATE("fused", "reference");
  require_done(run.train("one", 1, with(kWide, {"--kernels", kernels})));
  require_done(run.train("three", 3, with(kFull, {"--kernels", kernels})));
  check_same_ends(run, "one", "three");
  const std::vector<Json> expected = events(run, "one", "sample", "samples");
  CHECK(expected.size() == 4);  // after steps 5, 10, 15, 20
  CHECK(events(run, "three", "sample", "samples") == expected);
}

TEST_CASE("full sharding on 1, 2 and 4 ranks adds more than eight passes in the same order") {
  const test::RanksRun run("architecture: llama");
  const std::vector<std::string> more = with(kFull, {"--set", "batch.sequences=13"});
  require_done(run.train("one", 1, more));
  for (const int ranks : {2, 4}) {
    const std::string name = "ranks-" + std::to_string(ranks);
    require_done(run.train(name, ranks, more));
    check_same_ends(run, "one", name);
  }
}

TEST_CASE("a fully sharded run that was stopped goes on on other ranks, with and without shards") {
  const test::RanksRun run;
  require_done(run.train("whole", 1, kWide));
  const auto [before, after] = GENERATE(table<int, int>({{2, 1}, {1, 2}, {2, 4}, {4, 3}}));
  INFO(before << " ranks, then " << after);
  const std::string folder = run.folder("stopped");
  require_done(run.train("stopped", before, before > 1 ? kFull : kWide));
  std::filesystem::remove_all(folder + "/stages");
  for (const char* late : {"08", "12", "16"})
    std::filesystem::remove(folder + "/checkpoints/step-000000" + late + ".h5");
  const auto result = run.train("stopped", after, after > 1 ? kFull : kWide);
  require_done(result);
  check_same_ends(run, "whole", "stopped");
}

TEST_CASE("what full sharding does not support is refused, with what to use instead") {
  const auto [edit, found] = GENERATE(table<std::string, std::string>(
      {{"precision=fp64", "found precision: fp64"},
       {"optimizer={name: muon}", "found optimizer.name: muon"},
       {"stages.full.grow=[{operator: mask, layers: 2, steps: 4}]", "operator mask"}}));
  const test::RanksRun run;
  const auto result = run.train("run", 2, with(kFull, {"--set", edit}));
  INFO(result.err);
  CHECK(result.exit_code == 2);
  CHECK(contains(result.err, "--sharding full: found "));
  CHECK(contains(result.err, found));
}
