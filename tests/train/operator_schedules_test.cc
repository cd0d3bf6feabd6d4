// One step before and one after every growth of schedules/operators and schedules/optimizers, and
// one of each stage of schedules/policies, as `train` does it.
#include <set>

#include "grow/operator.h"
#include "lengths/resolve_files.h"
#include "plan/stage_policy.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "text/text.h"
#include "train/run.h"

using namespace stagedtrain;

namespace {

std::vector<std::string> short_edits(const test::TinyRun& tiny, const schedule::Schedule& s) {
  std::vector<std::string> edits = {"data.train=" + tiny.plan().schedule.data.train,
                                    "data.validation=" + tiny.plan().schedule.data.validation,
                                    "batch={sequences: 1}", "evaluate.tokens=128", "lr.warmup=0"};
  for (const schedule::StageSpec& stage : s.stages)
    edits.push_back("stages." + stage.name + ".for=1 steps");
  return edits;
}

train::RunResult run(const Path& file, const std::vector<std::string>& edits, const Path& out,
                     const std::string& stage = "") {
  return train::run(plan::resolve_files(schedule::load(file, edits)), {.out = out, .stage = stage});
}

}  // namespace

TEST_CASE("every operator has a schedule that trains, grows and trains on") {
  std::set<std::string> shown;
  for (const auto& file : test::example_schedules("operators")) {
    CAPTURE(file.string());
    const test::TinyRun tiny;
    const schedule::Schedule s = schedule::load(file);
    std::vector<std::string> edits = short_edits(tiny, s);
    double flops_of_others = 0;
    if (file.stem() == "merge") {
      std::vector<std::string> other = edits;
      other.push_back("seed=2");
      const std::string said =
          test::refusal(ErrorKind::usage, [&] { run(file, other, tiny / "other"); });
      CHECK(test::contains(said, "stage large: there is no file 'runs/merge-other"));
      flops_of_others = run(file, other, tiny / "other", "small").stages.at(0).progress.flops;
      edits.push_back("stages.large.grow=[{operator: merge, with: [" +
                      (tiny / "other/stages/small.h5").string() + "]}]");
    }
    const train::RunResult result = run(file, edits, tiny / "run");
    CHECK(result.done);
    CHECK(result.stages.size() == s.stages.size());
    const double planned = plan::resolve_files(schedule::load(file, edits)).flops;
    CHECK(result.stages.back().progress.flops == Approx(planned + flops_of_others));
    for (const schedule::StageSpec& stage : s.stages)
      for (const Tree& growth : stage.grow.items) shown.insert(growth.find("operator")->text);
  }
  for (const grow::OperatorEntry& entry : grow::operators()) {
    CAPTURE(entry.name);
    CHECK(shown.contains(entry.name));
  }
}

TEST_CASE("every optimizer has a schedule that trains, grows and trains on") {
  std::set<std::string> shown{"adamw"};  // of schedules/operators
  for (const auto& file : test::example_schedules("optimizers")) {
    CAPTURE(file.string());
    const test::TinyRun tiny;
    const schedule::Schedule s = schedule::load(file);
    CHECK(run(file, short_edits(tiny, s), tiny / "run").done);
    CHECK(enum_name(s.optimizer.name) == file.stem().string());
    shown.insert(enum_name(s.optimizer.name));
  }
  for (const std::string& name : enum_choices<schedule::OptimizerName>()) CHECK(shown.contains(name));
}

TEST_CASE("every policy has a schedule that trains") {
  std::set<std::string> shown;
  for (const auto& file : test::example_schedules("policies")) {
    CAPTURE(file.string());
    const test::TinyRun tiny;
    const schedule::Schedule s = schedule::load(file);
    std::vector<std::string> edits = short_edits(tiny, s);
    for (const schedule::StageSpec& stage : s.stages)  // every part of a path takes a step
      if (const auto& path = stage.policies.layer_path)
        edits.push_back(fmt::format("stages.{}.for={}", stage.name, 1 + path->then.size()));
    if (file.stem() == "nuggets") {
      std::vector<std::string> larger = edits;
      larger.insert(larger.end(), {"model.layers=6", "model.width=192"});
      run(file.parent_path() / "adapters.yaml", larger, tiny / "larger", "base");
      edits.push_back("stages.adapted.adapters.from=" + (tiny / "larger/stages/base.h5").string());
    }
    CHECK(run(file, edits, tiny / "run").done);
    for (const plan::StagePlan& stage : plan::resolve(s).stages) {
      if (const plan::Policy* policy = plan::stage_policy(stage)) shown.insert(policy->key);
      if (stage.train_only_new) shown.insert("train_only");
    }
  }
  for (const plan::Policy* policy : plan::policies()) {
    CAPTURE(policy->key);
    CHECK(shown.contains(policy->key));
  }
  CHECK(shown.contains("train_only"));
}
