// Checkpoints of other schedules, and states that no run comes to.
#include "runfolder/checkpoint_match.h"

#include <functional>
#include <limits>

#include "arch/cost.h"
#include "plan/stage_policy.h"
#include "support/catch.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "train/run.h"

using namespace stagedtrain;

namespace {

// Where the second stage stands after three of its steps.
state::StateHeader standing(const plan::RunPlan& plan) {
  state::StateHeader header;
  header.model = plan.stages[1].model;
  header.progress = {.step = 9,
                     .tokens = 9 * 64,
                     .flops = 9 * 64 * arch::flops_per_token(plan.stages[1].model),
                     .seconds = 1,
                     .stage = "full",
                     .stage_index = 1,
                     .stage_step = 3,
                     .total_steps = 12};
  header.data = {.seed = 3, .index = 36};
  header.seed = 3;
  header.lineage.push_back({.model = plan.stages[0].model});
  header.run.schedule = plan::resolved_yaml(plan);
  return header;
}

}  // namespace

TEST_CASE("a state of the schedule fits, also after stages that ended early or late") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  state::StateHeader header = standing(plan);
  CHECK(train::mismatches(header, plan).empty());
  header.progress.stage_step = 8;  // the first stage took one step
  CHECK_FALSE(train::mismatches(header, plan).empty());
  header.progress.stage_step = 6;
  CHECK(train::mismatches(header, plan).empty());
}

TEST_CASE("what --replan may change is no mismatch") {
  const test::TinyRun tiny;
  const state::StateHeader header = standing(tiny.plan());
  CHECK(train::mismatches(header, tiny.plan({"stages.full.for=2"})).empty());
  CHECK(train::length_was_changed(header, tiny.plan({"stages.full.for=2"})));
  CHECK_FALSE(train::length_was_changed(header, tiny.plan({"stages.small.for=2"})));
  state::StateHeader first = header;
  first.model = tiny.plan().stages[0].model;
  first.progress.stage = "small";
  first.progress.stage_index = 0;
  first.progress.step = first.progress.stage_step = 4;
  first.progress.tokens = 4 * 64;
  first.progress.flops = 4 * 64 * arch::flops_per_token(first.model);
  first.data.index = 16;
  first.lineage.clear();
  const auto other = tiny.plan(
      {"stages.full.grow=[{operator: depth, layers: 3}]", "model.layers=3", "batch.micro=2"});
  CHECK(train::mismatches(first, other).empty());
  CHECK_FALSE(train::mismatches(header, other).empty());
}

TEST_CASE("a state of another schedule, or of none, is told apart and the reason named") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  struct Case {
    const char* says;
    std::function<void(state::StateHeader&)> change;
  };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Case> cases = {
      {"stage 1,000,001 of its run", [](auto& h) { h.progress.stage_index = 1000000; }},
      {"stage 3 of its run", [](auto& h) { h.progress.stage_index = 2; }},
      {"its stage is \"full\"", [](auto& h) { h.progress.stage_index = 0; }},
      {"../../x", [](auto& h) { h.progress.stage = "../../x"; }},
      {"its stage is \"\"", [](auto& h) { h.progress.stage = ""; }},
      {"\\u001b[2J", [](auto& h) { h.progress.stage = "\x1b[2J"; }},
      {"it holds gpt2, 1 layer", [](auto& h) { h.model.layers = 1; }},
      {"it holds gpt2", [](auto& h) { h.model.vocab = 300; }},
      {"it holds gpt2", [](auto& h) { h.model.norm_eps = 1e-3; }},
      {"it holds float64", [](auto& h) { h.dtype = state::DType::f64; }},
      {"its seed is 4, but the schedule's is 3", [](auto& h) { h.seed = 4; }},
      {"its seed is 9", [](auto& h) { h.data.seed = 9; }},
      {"step 1,000,000 of stage 2", [](auto& h) { h.progress.stage_step = 1000000; }},
      {"no run reaches step", [](auto& h) { h.progress.stage_step = -1; }},
      {"no run reaches step", [](auto& h) { h.progress.stage_step = 9; }},
      {"no run reaches step", [](auto& h) { h.progress.step = -1; }},
      {"no run reaches step", [](auto& h) { h.progress.step = std::int64_t{1} << 60; }},
      {"no run reaches step", [](auto& h) { h.progress.total_steps = 5; }},
      {"step 8 of its stage, which has only 6",
       [](auto& h) {
         h.progress.step = 11;
         h.progress.stage_step = 8;
         h.progress.total_steps = 20;
         h.data.index = 44;
         h.progress.tokens = 11 * 64;
       }},
      {"it has read 1,000,000 sequences", [](auto& h) { h.data.index = 1000000; }},
      {"it has read 0 sequences", [](auto& h) { h.data.index = 0; }},
      {"trained on 0 tokens", [](auto& h) { h.progress.tokens = 0; }},
      {"trained on 1,000,000,000,000 tokens", [](auto& h) { h.progress.tokens = 1000000000000; }},
      {"FLOPs", [=](auto& h) { h.progress.flops = kNaN; }},
      {"1 FLOPs, which cannot be the cost of 576 tokens", [](auto& h) { h.progress.flops = 1; }},
      {"FLOPs, which cannot be the cost of 576 tokens", [](auto& h) { h.progress.flops *= 2; }},
      {"stage full ended after 3 steps, but the stage has 6",
       [](auto& h) { h.progress.stage_done = true; }},
      {"it never grew", [](auto& h) { h.lineage.clear(); }},
      {"seconds", [](auto& h) { h.progress.seconds = -5; }},
      {"it has a mask",
       [](auto& h) {
         h.mask.steps = 5;
         h.lineage.clear();
       }},
      {"it has a mask",
       [](auto& h) {
         h.mask.steps = 5;
         h.mask.start = 1000;
       }},
      {"lr.peak: 0.01, the run has 0.02",
       [&](auto& h) { h.run.schedule = plan::resolved_yaml(tiny.plan({"lr.peak=0.02"})); }},
      {"stages.small.train_only",
       [&](auto& h) {
         std::string& yaml = h.run.schedule;
         const auto at = yaml.find("train_only: all");
         yaml.replace(at, 15, "train_only: new");
       }},
      {"cannot be read", [](auto& h) { h.run.schedule = "{{{"; }},
      {"cannot be read", [](auto& h) { h.run.schedule = ""; }},
  };
  for (const Case& one : cases) {
    state::StateHeader header = standing(plan);
    one.change(header);
    const auto reasons = train::mismatches(header, plan);
    std::string said;
    for (const std::string& reason : reasons) said += reason + "; ";
    INFO(one.says << " | " << said);
    CHECK(test::contains(said, one.says));
    CHECK(said.find('\x1b') == std::string::npos);
  }
}

TEST_CASE("a run that leaves out most layers has fewer FLOPs than its model's, and is whole") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan(
      {"model.layers=8", "stages=[{name: whole, for: 12 steps, layer_path: {layers: 2}}]"});
  state::StateHeader header;
  header.model = plan.stages[0].model;
  const double flops = 9 * 64 * plan::expected_flops_per_token(plan.stages[0]).total;
  REQUIRE(flops < 9 * 64 * arch::flops_per_token(plan.stages[0].model, 1));
  header.progress = {.step = 9,
                     .tokens = 9 * 64,
                     .flops = flops,
                     .seconds = 1,
                     .stage = "whole",
                     .stage_index = 0,
                     .stage_step = 9,
                     .total_steps = 12};
  header.data = {.seed = 3, .index = 36};
  header.seed = 3;
  header.run.schedule = plan::resolved_yaml(plan);
  CHECK(train::mismatches(header, plan).empty());
  header.progress.flops = -1;
  CHECK_FALSE(train::mismatches(header, plan).empty());
}
