// Training with every optimizer as a user does: resuming, growing, FLOPs, and what is refused.
#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/ranks.h"
#include "support/refused.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;
using test::first_difference;

namespace {

struct OptimizerRun : test::RanksRun {
  explicit OptimizerRun(const std::string& name, const std::string& model = "architecture: gpt2")
      : test::RanksRun(model) {
    edits.push_back("optimizer={name: " + name + "}");
    edits.push_back("lr.peak=" + std::string(name == "muon" ? "0.02" : "0.003"));
  }
  std::string end(const std::string& name) const { return folder(name) + "/stages/full.h5"; }
  void require_done(const std::string& name, int processes, const std::string& threads) const {
    const auto result = train(name, processes, {"--threads", threads});
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
  }
};

// Leaves what a kill after step `step` would have left.
void stop_after(const std::string& folder, int step) {
  std::filesystem::remove_all(folder + "/stages");
  for (const auto& file : std::filesystem::directory_iterator(folder + "/checkpoints"))
    if (file.path().filename() > fmt::format("step-{:08}.h5", step))
      std::filesystem::remove(file.path());
}

}  // namespace

TEST_CASE("with every optimizer a run that was stopped goes on to the same bits") {
  const std::string name = GENERATE("muon", "lion", "sgd");
  INFO(name);
  OptimizerRun run(name);
  run.edits.push_back("checkpoint.keep=9");
  run.require_done("whole", 1, "1");
  for (const int step : {4, 12}) {
    CAPTURE(step);
    const std::string stopped = "stopped-" + std::to_string(step);
    run.require_done(stopped, 1, "1");
    stop_after(run.folder(stopped), step);
    run.require_done(stopped, 1, "1");
    CHECK(first_difference(run.end("whole"), run.end(stopped)) == "");
  }
}

TEST_CASE("with every optimizer two processes make the same bits as one") {
  const std::string name = GENERATE("muon", "lion", "sgd");
  INFO(name);
  const OptimizerRun run(name);
  run.require_done("one", 1, "2");
  run.require_done("two", 2, "1");
  CHECK(first_difference(run.end("one"), run.end("two")) == "");
}

TEST_CASE("plan and run count the same FLOPs, Muon's iterations included") {
  const OptimizerRun run("muon");
  std::vector<std::string> words = {test::program(), "plan", (run.tiny / "tiny.yaml").string()};
  for (const std::string& edit : run.edits) words.insert(words.end(), {"--set", edit});
  words.push_back("--details");
  const auto text = test::run({.arguments = words});
  CHECK(contains(text.out, "are Muon's Newton-Schulz iterations"));
  words.back() = "--json";
  const auto planned = test::run({.arguments = words});
  INFO(planned.err);
  REQUIRE(planned.exit_code == 0);
  run.require_done("run", 1, "1");
  const runlog::Run log = runlog::read_log(run.folder("run") + "/run.jsonl", "run");
  REQUIRE(log.end);
  const Json json = Json::parse(planned.out);
  CHECK(log.end->at.flops == Approx(json["flops"].get<double>()).epsilon(1e-12));
  CHECK(json["stages"][1]["optimizer_flops"].get<double>() > 0);
}

TEST_CASE("a run's optimizer stays what it was, and a new run may take another's weights") {
  OptimizerRun run("muon");
  run.require_done("run", 1, "1");
  run.edits.push_back("optimizer={name: adamw}");
  check_refused(run.train("run", 1), 2, "optimizer.name: adamw, the run has muon");
  run.edits.push_back("from=" + run.end("run"));
  run.edits.push_back("stages=[{name: more, for: 4}]");
  run.require_done("more", 1, "1");
  const state::CheckpointReader more(run.folder("more") + "/stages/more.h5");
  CHECK(more.header().progress.step == 4);
}

TEST_CASE("optimizers that need whole tensors are not shared out over processes") {
  const std::string name = GENERATE("muon", "lion", "sgd");
  const OptimizerRun run(name);
  const auto result = run.train("run", 2, {"--sharding", "optimizer"});
  check_refused(result, 2, "--sharding optimizer: found optimizer.name: " + name);
  CHECK(!std::filesystem::exists(run.folder("run") + "/run.jsonl"));
}

TEST_CASE("a wrong optimizer is refused with the place and the nearest name") {
  OptimizerRun run("muon");
  run.edits.push_back("optimizer.name=moun");
  check_refused(run.train("run", 1), 2, "optimizer.name: found 'moun'; did you mean 'muon'?");
}
