// Training policies as a user runs them: stopped and resumed, on several ranks, refused.
#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/ranks.h"

using namespace stagedtrain;
using test::contains;
using test::first_difference;
using test::require_done;

namespace {

// Twenty steps in passes of one sequence; five layers in the last ten.
struct PolicyRun : test::RanksRun {
  explicit PolicyRun(const std::string& policy) {
    edits.insert(edits.end(), {"model.layers=5", "stages.full.grow=[{operator: depth, layers: 5}]",
                               "stages.full." + policy});
  }
};

double flops_of(const std::string& folder) {
  return runlog::read_log(folder + "/run.jsonl", folder).end->at.flops;
}

}  // namespace

TEST_CASE("a run under a policy, stopped and resumed on other ranks, ends as one that was not") {
  const PolicyRun run(GENERATE("layer_dropout={max: 0.8}", "layer_path={layers: 3}"));
  require_done(run.train("whole", 1));
  const std::string folder = run.folder("stopped");
  const std::vector<std::string> shard =
      GENERATE(std::vector<std::string>{}, std::vector<std::string>{"--sharding", "optimizer"});
  require_done(run.train("stopped", 2, shard));
  CHECK(first_difference(run.folder("whole") + "/stages/full.h5", folder + "/stages/full.h5") ==
        "");
  std::filesystem::remove(folder + "/stages/full.h5");
  std::filesystem::remove(folder + "/checkpoints/step-00000016.h5");
  std::filesystem::remove(folder + "/run.jsonl");
  require_done(run.train("stopped", GENERATE(1, 3)));
  CHECK(first_difference(run.folder("whole") + "/stages/full.h5", folder + "/stages/full.h5") ==
        "");
  CHECK(flops_of(folder) == flops_of(run.folder("whole")));
}

TEST_CASE("the other policies end with the same bits on two ranks that share the optimizer") {
  const PolicyRun run(GENERATE("ffn_path={shares: [0.25, 1]}", "layer_sharing={layers: 8}",
                               "token_dropping={start: 4, step: 4}", "train_groups={layers: 2}",
                               "teacher={factor: 2}"));
  require_done(run.train("one", 1));
  require_done(run.train("two", 2, {"--sharding", "optimizer"}));
  CHECK(first_difference(run.folder("one") + "/stages/full.h5",
                         run.folder("two") + "/stages/full.h5") == "");
}

TEST_CASE("plan tells a policy and its cost; a bad one is refused with its place") {
  const PolicyRun run("layer_path={layers: 3}");
  std::vector<std::string> words = {test::program(), "plan", (run.tiny / "tiny.yaml").string()};
  for (const std::string& edit : run.edits) words.insert(words.end(), {"--set", edit});
  words.push_back("--details");
  const auto shown = test::run({.arguments = words});
  require_done(shown);
  CHECK(contains(shown.out, "with layer_path"));
  CHECK(contains(shown.out, "random layer paths: 3 of 5 layers run on average"));
  words.insert(words.end(), {"--set", "stages.full.layer_path.layers=7"});
  const auto refused = test::run({.arguments = words});
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "stages.1.layer_path: layers: found 7, expected 2"));
}
