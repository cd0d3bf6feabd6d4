// Training on several processes: the same numbers as one, to the bit.
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/ranks.h"
#include "support/skip.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;
using test::first_difference;
using test::require_done;

namespace {

const std::vector<std::string> kEnds = {"/stages/small.h5", "/stages/full.h5"};

void check_same_ends(const test::RanksRun& run, const std::string& one, const std::string& other) {
  for (const std::string& end : kEnds) {
    INFO(other << end);
    CHECK(first_difference(run.folder(one) + end, run.folder(other) + end) == "");
  }
}

std::vector<double> losses(const std::string& folder) {
  std::vector<double> all;
  const runlog::Run log = runlog::read_log(folder + "/run.jsonl", folder);
  for (const runlog::StepPoint& step : log.steps) all.push_back(step.loss);
  for (const runlog::Evaluation& evaluation : log.evaluations) all.push_back(evaluation.loss);
  return all;
}

}  // namespace

TEST_CASE("1, 2, 3 and 4 ranks make the same losses and states, to the bit, and grow them") {
  const std::string model =
      GENERATE("architecture: gpt2", "architecture: llama, kv_heads: 1",
               "architecture: gpt2, experts: 2, experts_per_token: 1",
               "architecture: llama, experts: 4, experts_per_token: 2, router_loss: 0.01");
  INFO(model);
  const test::RanksRun run(model);
  // Experts compute by LibTorch's kernels, whose last digits depend on the threads of a process.
  const bool experts = contains(model, "experts");
  require_done(run.train("one", 1, {"--threads", experts ? "1" : "2"}));
  for (const int ranks : {2, 3, 4}) {
    const std::string name = "ranks-" + std::to_string(ranks);
    const auto result = run.train(name, ranks, {"--threads", "1"});
    require_done(result);
    CHECK(contains(result.err,
                   "launched by --processes: " + std::to_string(ranks) + " ranks on 1 host"));
    CHECK(contains(result.err, "cpu with 1 thread each, by gloo"));
    check_same_ends(run, "one", name);
    CHECK(losses(run.folder(name)) == losses(run.folder("one")));
  }
}

TEST_CASE("buckets exchanged during the backward pass make the same bits, whatever layers run") {
  const test::RanksRun run("architecture: llama");
  const std::vector<std::string> more = {
      "--threads", "1",
      "--set",     "model.width=128",
      "--set",     "model.layers=6",
      "--set",     "stages.small.model={layers: 3}",
      "--set",     "stages.full.grow=[{operator: depth, layers: 6}]",
      "--set",     "stages.small.layer_dropout={max: 0.5, draw: micro}",
      "--set",     "optimizer.clip=0.1"};
  const auto with = [&](const std::string& sharding) {
    std::vector<std::string> all = more;
    all.insert(all.end(), {"--sharding", sharding});
    return all;
  };
  require_done(run.train("one", 1, more));
  for (const char* sharding : {"none", "optimizer"})
    for (const int ranks : {2, 3}) {
      const std::string name = sharding + std::to_string(ranks);
      require_done(run.train(name, ranks, with(sharding)));
      check_same_ends(run, "one", name);
      CHECK(losses(run.folder(name)) == losses(run.folder("one")));
    }
  std::ifstream log(run.folder("none2") + "/run.jsonl");
  for (std::string line; std::getline(log, line);) {
    const Json event = parse_json(line, "run.jsonl");
    if (event["event"] != "step") continue;
    CHECK(event["hidden_communication_seconds"].get<double>() >= 0);
    CHECK(event["communication_share"].get<double>() > 0);
    CHECK(event["communication_share"].get<double>() < 1);
    CHECK(event["communication_seconds"].get<double>() > 0);
  }
}

TEST_CASE("a run stopped on two ranks goes on on one, three and four, to the bit") {
  const test::RanksRun run;
  require_done(run.train("whole", 1));
  const int ranks = GENERATE(1, 3, 4);
  INFO(ranks);
  const std::string folder = run.folder("stopped");
  // Stops at step 4 of the first stage: an earlier checkpoint is what a kill would leave.
  require_done(run.train("stopped", 2));
  std::filesystem::remove_all(folder + "/stages");
  std::filesystem::remove(folder + "/checkpoints/step-00000008.h5");
  for (const char* late : {"12", "16"})
    std::filesystem::remove(folder + "/checkpoints/step-000000" + late + ".h5");
  const auto result = run.train("stopped", ranks);
  require_done(result);
  check_same_ends(run, "whole", "stopped");
}

TEST_CASE("the first of several ranks samples alone, and the state stays the same to the bit") {
  test::RanksRun run;
  require_done(run.train("one", 1));
  run.edits.push_back("sample={every: 4, prompts: [the light, a], tokens: 20}");
  require_done(run.train("sampled", 3, {"--threads", "1"}));
  check_same_ends(run, "one", "sampled");
  const std::string log = test::read_text(run.folder("sampled") + "/run.jsonl");
  std::size_t events = 0;
  for (std::size_t at = 0; (at = log.find("\"event\":\"sample\"", at)) != std::string::npos; ++at)
    ++events;
  CHECK(events == 6);  // after steps 4, 8, 10, 12, 16, 20
}

TEST_CASE("ranks, with and without --sharding, make the same average of the weights, to the bit") {
  test::RanksRun run;
  run.edits.push_back("ema={decay: 0.9}");
  require_done(run.train("one", 1));
  const std::string sharding = GENERATE("none", "optimizer");
  require_done(run.train("shared", 3, {"--threads", "1", "--sharding", sharding}));
  CHECK(state::CheckpointReader(run.folder("shared") + "/stages/full.h5").header().ema);
  check_same_ends(run, "one", "shared");
}

TEST_CASE("ranks fit the maps of a growth to the same bits, and refuse to with full sharding") {
  test::RanksRun run;
  run.edits.push_back(
      "stages.full.grow=[{operator: ligo, layers: 2, fit: {steps: 3, noise: 0.1}}]");
  require_done(run.train("one", 1));
  for (const char* sharding : {"none", "optimizer"}) {
    const std::string name = std::string("shared-") + sharding;
    require_done(run.train(name, 3, {"--threads", "1", "--sharding", sharding}));
    check_same_ends(run, "one", name);
  }
  const auto refused = run.train("full", 2, {"--threads", "1", "--sharding", "full"});
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "expected fit.steps: 0, or another operator"));
}

TEST_CASE("ranks train adapters to the same bits, and refuse to share them out") {
  test::RanksRun run;
  run.edits.insert(run.edits.end(),
                   {"stages.full.train_only=new", "stages.full.adapters={rank: 4}"});
  require_done(run.train("one", 1));
  require_done(run.train("shared", 3, {"--threads", "1"}));
  check_same_ends(run, "one", "shared");
  const state::CheckpointReader one(run.tiny / "one/stages/full.h5"),
      shared(run.tiny / "shared/stages/full.h5");
  CHECK(one.tensors_identity() == shared.tensors_identity());  // with the adapters
  const auto refused = run.train("sharded", 2, {"--threads", "1", "--sharding", "optimizer"});
  CHECK(refused.exit_code == 2);
  CHECK(contains(refused.err, "which has adapters, expected none"));
}

TEST_CASE("only the first rank prints results") {
  const test::RanksRun run;
  const auto result = run.train("run", 2, {"--json"});
  require_done(result);
  const Json json = parse_json(result.out, "train");
  CHECK(json["done"] == true);
  CHECK(json["stages"].size() == 2);
  const auto again = run.train("run", 2, {"--json"});
  require_done(again);
  CHECK(parse_json(again.out, "train")["stages"] == json["stages"]);
}

TEST_CASE("ranks that another launcher starts find each other by its variables") {
  const test::RanksRun run;
  const int port = test::free_port();
  test::RunningCommand second(run.rank("run", 1, 2, port));
  const auto first = test::run(run.rank("run", 0, 2, port));
  const auto other = second.wait();
  INFO(other.err);
  require_done(first);
  CHECK(contains(first.err, "launched by RANK and WORLD_SIZE: 2 ranks"));
  CHECK(other.exit_code == 0);
  CHECK(other.out == "");
  CHECK(other.err == "");
}

TEST_CASE("a real torchrun starts ranks, plain and fully sharded, to the same bits") {
  const std::string python =
      std::string(std::getenv("STAGEDTRAIN_SOURCE")) + "/.deps/readers/bin/python";
  if (test::run({.arguments = {python, "-c", "import torch.distributed.run"}}).exit_code != 0)
    return test::skip("no Python with torch (scripts/setup.sh --readers)");
  const test::RanksRun run;
  require_done(run.train("one", 1));
  const std::string sharding = GENERATE("none", "full");
  test::Command command = run.command("torchrun", {"--threads", "1", "--sharding", sharding});
  command.arguments.insert(
      command.arguments.begin(),
      {python, "-m", "torch.distributed.run", "--nnodes", "1",
       // --standalone looks for the host's name, which a bare system need
       // not know.
       "--master-addr", "127.0.0.1", "--local-addr", "127.0.0.1", "--master-port",
       std::to_string(20000 + ::getpid() % 10000), "--nproc-per-node", "2", "--no-python"});
  const auto result = test::run(command);
  require_done(result);
  CHECK(contains(result.err, "launched by torchrun: 2 ranks on 1 host"));
  check_same_ends(run, "one", "torchrun");
}

TEST_CASE("srun's variables do the same") {
  const test::RanksRun run;
  const auto task = [&](int rank) {
    test::Command command = run.command("run");
    command.environment = {{"SLURM_PROCID", std::to_string(rank)},
                           {"SLURM_NTASKS", "2"},
                           {"SLURM_STEP_NUM_TASKS", "2"},
                           {"SLURM_LOCALID", std::to_string(rank)},
                           {"SLURM_STEP_TASKS_PER_NODE", "2"},
                           {"SLURM_STEP_NODELIST", "localhost"},
                           {"SLURM_JOB_ID", std::to_string(::getpid() % 10000)},
                           {"OMP_NUM_THREADS", "1"}};
    return command;
  };
  test::RunningCommand second(task(1));
  const auto first = test::run(task(0));
  const auto other = second.wait();
  INFO(other.err);
  require_done(first);
  CHECK(contains(first.err, "launched by srun: 2 ranks"));
  CHECK(other.exit_code == 0);
}
