// Groups of layers that are trained in turn, and trials that train the last layers: what is frozen,
// what a step costs, and what is refused.
#include <set>

#include "arch/architectures.h"
#include "plan/step_sums.h"
#include "support/policy_plan.h"

using namespace stagedtrain;
using test::check_refused;
using test::planned;

namespace {

// The layers, and parts outside the blocks, that a step trains.
std::set<std::string> trained_at(const plan::RunPlan& p, std::int64_t step) {
  const arch::ParamTable table = arch::param_table(p.final_model);
  const std::vector<bool> frozen = plan::frozen_in_step(p, p.stages[0], table, step);
  std::set<std::string> trained;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (frozen.empty() || !frozen[i])
      trained.insert(table[i].layer < 0 ? table[i].name : std::to_string(table[i].layer));
  return trained;
}

double executed_flops(const plan::RunPlan& p, std::int64_t steps) {
  const arch::ParamTable table = arch::param_table(p.final_model);
  double sum = 0;
  for (std::int64_t step = 0; step < steps; ++step) {
    const auto trained =
        arch::trained_parts(p.final_model, plan::frozen_in_step(p, p.stages[0], table, step));
    sum +=
        arch::step_flops_per_token(p.final_model, {}, trained).total / static_cast<double>(steps);
  }
  return sum;
}

const std::string kUntied = "model.tied=false";

}  // namespace

TEST_CASE("steps train one group after the other, and every tensor belongs to one group") {
  using Names = std::set<std::string>;
  const plan::RunPlan up = planned("train_groups: {layers: 3}", {kUntied});
  CHECK(trained_at(up, 0) == Names{"embed.token", "embed.position", "0", "1", "2"});
  CHECK(trained_at(up, 1) == Names{"3", "4", "5"});
  CHECK(trained_at(up, 2) ==
        Names{"6", "7", "final_norm.weight", "final_norm.bias", "head.weight"});
  CHECK(trained_at(up, 3) == trained_at(up, 0));
  const plan::RunPlan down = planned("train_groups: {layers: 3, order: down}", {kUntied});
  for (std::int64_t step = 0; step < 3; ++step)
    CHECK(trained_at(down, step) == trained_at(up, 2 - step));
  const auto order = [](const std::vector<std::string>& more) {
    const plan::RunPlan random = planned("train_groups: {layers: 1, order: random}", more);
    std::set<std::string> all;
    std::vector<Names> steps;
    for (std::int64_t step = 0; step < 8; ++step) {
      steps.push_back(trained_at(random, step));
      all.insert(steps.back().begin(), steps.back().end());
      CHECK(trained_at(random, step + 8) == steps.back());
    }
    CHECK(all.size() == 8 + 4);  // tied: the embeddings and the final norm
    return steps;
  };
  CHECK(order({}) != order({"seed=2"}));
}

TEST_CASE("expected FLOPs of groups are the mean over a cycle") {
  for (const char* groups : {"train_groups: {layers: 1}", "train_groups: {layers: 3}",
                             "train_groups: {layers: 4, order: down}"})
    for (const std::string tied : {"model.tied=true", "model.tied=false"}) {
      CAPTURE(groups, tied);
      const plan::RunPlan p = planned(groups, {tied});
      CHECK(plan::expected_flops_per_token(p.stages[0]).total ==
            Approx(executed_flops(p, 24)).epsilon(1e-12));  // 24 is a multiple of all cycles
    }
  const plan::RunPlan muon = planned("train_groups: {layers: 2}", {"optimizer={name: muon}"});
  CHECK(plan::expected_optimizer_flops(muon.schedule, muon.stages[0]) ==
        Approx(plan::optimizer_flops_per_step(muon.schedule, muon.final_model) / 4));
}

TEST_CASE("expected FLOPs of groups count every pass of a tied core") {
  const plan::RunPlan p = planned(
      "train_groups: {layers: 1}",
      {"model.layers=4", "model.prelude=1", "model.core=2", "model.passes=3", "model.coda=1"});
  CHECK(plan::expected_flops_per_token(p.stages[0]).total ==
        Approx(executed_flops(p, 4)).epsilon(1e-12));
}

TEST_CASE("one group is the plain run") {
  const plan::RunPlan p = planned("train_groups: {layers: 8}");
  CHECK(plan::frozen_in_step(p, p.stages[0], arch::param_table(p.final_model), 5).empty());
  CHECK(p.flops == planned("").flops);
}

TEST_CASE("a trial trains the last layers, the final norm and the head") {
  using Names = std::set<std::string>;
  const plan::RunPlan p = planned("train_last: 2", {kUntied});
  CHECK(trained_at(p, 9) == Names{"6", "7", "final_norm.weight", "final_norm.bias", "head.weight"});
  CHECK(plan::expected_flops_per_token(p.stages[0]).total ==
        Approx((6.0 / 3 + 2) * (test::kMatrices + test::kAttention) + test::kHead).epsilon(1e-12));
  CHECK(plan::expected_flops_per_token(p.stages[0]).total ==
        Approx(executed_flops(p, 1)).epsilon(1e-12));
  const plan::RunPlan tied = planned("train_last: 2");
  CHECK(trained_at(tied, 0).contains("embed.token"));
  CHECK_FALSE(trained_at(tied, 0).contains("embed.position"));
  CHECK(plan::expected_flops_per_token(tied.stages[0]).total ==
        Approx(executed_flops(tied, 1)).epsilon(1e-12));
  CHECK(planned("train_last: 8").flops == planned("").flops);
  check_refused("train_last: 9", "found 9, expected at most 8");
  check_refused("train_last: 0", "train_last");
}
