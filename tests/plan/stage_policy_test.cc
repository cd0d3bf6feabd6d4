// Training policies: rates, draws, prices, and what is refused.
#include "plan/stage_policy.h"

#include <cmath>

#include "cost/run_cost.h"
#include "plan/step_sums.h"
#include "support/policy_plan.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;
using test::kHead;
using test::planned;

namespace {

// How often each layer runs in steps first to last of the plan, in one pass of each.
std::vector<double> run_share(const plan::RunPlan& p, std::int64_t first, std::int64_t last,
                              std::int64_t passes = 1) {
  std::vector<double> share(8);
  for (std::int64_t step = first; step < last; ++step)
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      const arch::StepWork work = plan::step_work(p, p.stages[0], step, step, pass);
      for (std::size_t l = 0; l < 8; ++l)
        share[l] += work.runs(static_cast<std::int64_t>(l)) ? 1 : 0;
    }
  for (double& s : share) s /= static_cast<double>((last - first) * passes);
  return share;
}

// The scale of the branches of a layer; 0 if it does not run.
double scale_of(const arch::StepWork& work, std::int64_t layer) {
  for (const arch::LayerWork& one : work.list(8))
    if (one.layer == layer) return one.scale;
  return 0;
}

// Five standard errors of a share of n draws.
double bound(double p, double n) { return 5 * std::sqrt(p * (1 - p) / n) + 1e-12; }

constexpr double kBlock = test::kMatrices + test::kAttention;

}  // namespace

TEST_CASE("layer dropout leaves out later layers more often, and less and less") {
  const plan::RunPlan p = planned("layer_dropout: {max: 0.6}");
  const plan::Policy* policy = plan::stage_policy(p.stages[0]);
  REQUIRE(policy);
  const plan::PolicyStage stage = plan::policy_stage(p.stages[0]);
  for (std::int64_t layer = 0; layer < 8; ++layer)
    for (const std::int64_t step : {0, 100, 399}) {
      const double rate =
          0.6 * static_cast<double>(layer) / 7 * (1 - static_cast<double>(step) / 399);
      CHECK(policy->chance(stage, layer, step) == Approx(1 - rate));
    }
  CHECK(policy->chance(stage, 7, 500) == 1);  // beyond the planned end
  const std::vector<double> share = run_share(p, 0, 400, 16);
  for (std::size_t l = 0; l < 8; ++l) {
    const double mean = 0.6 * static_cast<double>(l) / 7 / 2;
    CHECK(share[l] == Approx(1 - mean).margin(bound(mean, 400 * 16)));
  }
  const arch::StepWork last = plan::step_work(p, p.stages[0], 399, 399, 0);
  CHECK(last.is_whole(8));
}

TEST_CASE("branches of layers that run under dropout are divided by the probability that they do") {
  const plan::RunPlan p = planned("layer_dropout: {max: 0.9}");
  int left_out = 0;
  for (std::int64_t step = 0; step < 50; ++step) {
    const arch::StepWork work = plan::step_work(p, p.stages[0], step, step, 0);
    CHECK(scale_of(work, 0) == 1);
    for (std::int64_t l = 0; l < 8; ++l) {
      if (!work.runs(l)) ++left_out;
      if (work.runs(l))
        CHECK(scale_of(work, l) ==
              1 / plan::layer_dropout().chance(plan::policy_stage(p.stages[0]), l, step));
    }
  }
  CHECK(left_out > 50);
}

TEST_CASE("a path keeps its fixed layers and every other with one probability") {
  const plan::RunPlan p = planned("layer_path: {layers: 5}");
  const std::vector<double> share = run_share(p, 0, 4000);
  CHECK(share[0] == 1);
  CHECK(share[7] == 1);
  for (std::size_t l = 1; l < 7; ++l) CHECK(share[l] == Approx(0.5).margin(bound(0.5, 4000)));
  const plan::RunPlan first =
      planned("layer_path: {layers: 4.5, keep: [first], scale: inverse_keep}");
  const std::vector<double> rest = run_share(first, 0, 4000);
  CHECK(rest[0] == 1);
  CHECK(rest[7] == Approx(0.5).margin(bound(0.5, 4000)));
  const arch::StepWork scaled = plan::step_work(first, first.stages[0], 3, 3, 0);
  CHECK(scale_of(scaled, 0) == 1);
  for (std::int64_t l = 1; l < 8; ++l)
    CHECK((scale_of(scaled, l) == 0 || scale_of(scaled, l) == 2));
  const plan::RunPlan ends = planned("layer_path: {layers: 2}");
  for (std::int64_t step = 0; step < 20; ++step)
    CHECK(plan::step_work(ends, ends.stages[0], step, step, 0) ==
          arch::scaled_layers({1, 0, 0, 0, 0, 0, 0, 1}));
}

TEST_CASE("the parts of a stage run paths of their own lengths") {
  const plan::RunPlan p = planned("layer_path: {layers: 2, then: [5, 8]}");
  const plan::PolicyStage stage = plan::policy_stage(p.stages[0]);
  const auto keep = [&](std::int64_t step) { return plan::layer_path().chance(stage, 3, step); };
  CHECK(keep(0) == 0);
  CHECK(keep(133) == 0);
  CHECK(keep(134) == 0.5);
  CHECK(keep(266) == 0.5);
  CHECK(keep(267) == 1);
  CHECK(keep(399) == 1);
  CHECK(keep(1000) == 1);
}

TEST_CASE("no rate, or a path of all layers, is the whole model") {
  for (const char* policy : {"layer_dropout: {max: 0}", "layer_path: {layers: 8}",
                             "layer_path: {layers: 8, scale: inverse_keep}"}) {
    const plan::RunPlan p = planned(policy);
    for (std::int64_t step = 0; step < 20; ++step)
      CHECK(plan::step_work(p, p.stages[0], step, step, 0).is_whole(8));
    CHECK(p.flops == planned("").flops);
  }
}

TEST_CASE("draws follow the seed, the step, and the micro-batch where they are made for each") {
  const plan::RunPlan each = planned("layer_dropout: {draw: micro}", {"batch.micro=4"});
  const plan::RunPlan step = planned("layer_dropout: {draw: step}", {"batch.micro=4"});
  const plan::RunPlan whole = planned("layer_dropout: {draw: micro}", {"batch.micro=0"});
  const plan::RunPlan other = planned("layer_dropout: {draw: micro}", {"batch.micro=4", "seed=2"});
  const auto works = [](const plan::RunPlan& p, std::int64_t first, std::int64_t pass) {
    std::vector<arch::StepWork> all;
    for (std::int64_t s = first; s < first + 20; ++s)
      all.push_back(plan::step_work(p, p.stages[0], s, 0, pass));
    return all;
  };
  CHECK(works(each, 0, 0) == works(each, 0, 0));
  CHECK(works(each, 0, 0) != works(each, 0, 1));
  CHECK(works(each, 0, 0) != works(each, 20, 0));
  CHECK(works(each, 0, 0) != works(other, 0, 0));
  CHECK(works(step, 0, 0) == works(step, 0, 3));
  CHECK(works(whole, 0, 0) == works(whole, 0, 3));  // passes are then what the ranks make of them
}

TEST_CASE("expected FLOPs have a closed form, and the plan tells them everywhere") {
  const double tokens = 400.0 * 16 * 128;
  const plan::RunPlan plain = planned("");
  CHECK(plain.flops == tokens * (8 * kBlock + kHead));
  const plan::RunPlan dropout = planned("layer_dropout: {max: 0.6}");
  CHECK(dropout.flops == Approx(tokens * (8 * kBlock * (1 - 0.6 / 4) + kHead)));
  const plan::RunPlan path = planned("layer_path: {layers: 5}");
  CHECK(path.flops == Approx(tokens * (5 * kBlock + kHead)));
  CHECK(path.stages[0].flops == path.flops);
  const plan::RunPlan parts = planned("layer_path: {layers: 4, then: [6, 8]}");
  CHECK(parts.flops == Approx(tokens * ((134 * 4 + 133 * 6 + 133 * 8) / 400.0 * kBlock + kHead)));
  const plan::RunCost cost = plan::run_cost(path);
  CHECK(cost.total.flops == path.flops);
  CHECK(path.flops - cost.total.causal_flops == Approx(tokens * 5 * 6 * 4 * 64 * 128 / 2));
  CHECK(
      contains(plan::to_text(path), "5 of 8 layers run on average, always the first and the last"));
  CHECK(contains(plan::to_text(dropout), "layer dropout"));
  const Json json = plan::to_json(path);
  CHECK(json["stages"][0]["policy"] == "layer_path");
  CHECK(json["stages"][0]["expected_flops_per_token"].get<double>() == 5 * kBlock + kHead);
  CHECK(json["stages"][0]["flops_per_token"].get<double>() == 8 * kBlock + kHead);
  CHECK(plan::to_json(plain)["stages"][0]["policy"] == "");
}

TEST_CASE("the sum of executed FLOPs comes to what was expected, within sampling error") {
  for (const char* policy : {"layer_dropout: {max: 0.8}", "layer_path: {layers: 3, draw: micro}",
                             "ffn_path: {}", "layer_sharing: {layers: 12}"}) {
    CAPTURE(policy);
    const plan::RunPlan p = planned(policy, {"batch.micro=1"});
    CHECK(test::executed_flops(p, 1) == Approx(p.flops).epsilon(0.02));  // five standard errors
  }
}

TEST_CASE("a length in FLOPs is one of executed FLOPs") {
  const plan::RunPlan p = planned("layer_path: {layers: 4}", {"stages.whole.for=1T flops"});
  CHECK(static_cast<double>(p.total_steps) ==
        std::ceil(1e12 / (2048.0 * (4 * kBlock + kHead)) * (1 - 1e-12)));
}

TEST_CASE("train_only: new is priced by what is trained") {
  const plan::RunPlan p = plan::resolve(
      test::two_stages({"model.layers=4", "stages.1.grow=[{operator: llama_pro, groups: 2}]",
                        "stages.1.train_only=new"}));
  // The new layers stand second... in groups of one: layers 1 and 3 of 4.
  CHECK(p.stages[1].trained.layers == std::vector<double>{0, 1, 0, 1});
  const double matrices = 2 * 12 * 128 * 128, attention = 2 * 4 * 64 * 128, head = 2 * 256 * 128;
  CHECK(plan::expected_flops_per_token(p.stages[1]).total ==
        matrices * (1 + 3 + 2 + 3) + attention * (1 + 3 + 3 + 3) + 2 * head);
  CHECK(contains(plan::to_text(p), "only what the growth added is trained"));
  CHECK(plan::to_json(p)["stages"][1]["train_only"] == "new");
}

TEST_CASE("what makes no sense is refused with what was found and expected") {
  check_refused("layer_path: {layers: 9}",
                "layers: found 9, expected 2 (the layers that keep names) to 8");
  check_refused("layer_path: {layers: 1}", "layers: found 1, expected 2");
  check_refused("layer_path: {layers: 4, keep: []}",
                "keep: found no layer, expected first, last, or both");
  check_refused("layer_path: {layers: 4, keep: [middle]}", "middle");
  check_refused("layer_path: {layers: 4, then: [8, 12]}", "then: found 12, expected 2");
  check_refused("layer_path: {layers: 4, keep: [first, first]}", "keep: found first twice");
  check_refused("layer_path: {layers: 4, then: [6, 8]}",
                "then: found 3 parts in all, expected at most 2", {"stages.0.for=2 steps"});
  check_refused("layer_path: {}", "layers");
  check_refused("layer_dropout: {max: 1}", "max");
  check_refused("layer_dropout: {max: -0.1}", "max");
  check_refused("layer_dropout: {}, layer_path: {layers: 4}", "expected only one of them");
  check_refused("layer_dropout: {}", "expected at least 2 layers", {"model.layers=1"});
  const std::string said = test::refusal(ErrorKind::usage, [] {
    plan::resolve(
        test::two_stages({"stages.1.train_only=new", "stages.1.layer_dropout={max: 0.5}"}));
  });
  CHECK(contains(said, "stages.1.layer_dropout: found with train_only: new"));
}

TEST_CASE("Muon's FLOPs are those of the matrices that it moves") {
  const auto share = [](const plan::RunPlan& p) {
    return plan::expected_optimizer_flops(p.schedule, p.stages.back()) /
           plan::optimizer_flops_per_step(p.schedule, p.stages.back().model);
  };
  const std::string muon = "optimizer={name: muon}";
  CHECK(share(planned("", {muon})) == 1);
  CHECK(share(planned("layer_path: {layers: 4, draw: step}", {muon})) == Approx(0.5));
  // Of 8 layers and 4 passes: first and last always, the others in at least one pass of four.
  CHECK(share(planned("layer_path: {layers: 5, draw: micro}", {muon, "batch.micro=4"})) ==
        Approx((2 + 6 * (1 - std::pow(0.5, 4))) / 8));
  CHECK(share(planned("layer_dropout: {max: 0.5, draw: step}", {muon})) == Approx(1 - 0.5 / 4));
  const plan::RunPlan frozen =
      plan::resolve(test::two_stages({muon, "stages.full.train_only=new"}));
  CHECK(share(frozen) == Approx(4 / 6.0));
  CHECK(frozen.stages[1].flops ==
        Approx(plan::expected_flops_per_token(frozen.stages[1]).total *
                   static_cast<double>(frozen.stages[1].tokens) +
               900 * plan::expected_optimizer_flops(frozen.schedule, frozen.stages[1])));
  CHECK(plan::expected_optimizer_flops(planned("").schedule, planned("").stages[0]) == 0);
}
