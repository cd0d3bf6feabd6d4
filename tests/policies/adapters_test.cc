// Low-rank adapters: which matrices have them, what else is trained, what it costs, what is
// refused.
#include "policies/adapters.h"

#include <algorithm>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "plan/processes.h"
#include "support/policy_plan.h"

using namespace stagedtrain;
using test::check_refused;
using test::planned;

namespace {

// Three layers that become five, with adapters in the second stage.
plan::RunPlan grown(const std::string& adapters) {
  return plan::resolve(test::two_stages(
      {"model={architecture: gpt2, layers: 5, width: 128, heads: 4, context: 128, vocab: 256}",
       "stages=[{name: small, model: {layers: 3}, for: 10}, {name: full, grow: [{operator: depth, "
       "layers: 5, new_layers: mean, order: last}], train_only: new, " +
           adapters + ", for: 10}]"}));
}

arch::AdapterSet adapters_of(const plan::StagePlan& stage) {
  return plan::adapters_of(plan::policy_stage(stage), arch::param_table(stage.model));
}

constexpr double kWidth = 128;

}  // namespace

TEST_CASE("all matrices of the layers have adapters, or those of the named kinds") {
  const plan::RunPlan all = planned("adapters: {}");
  const arch::AdapterSet set = adapters_of(all.stages[0]);
  CHECK(set.rank == 8);
  CHECK(set.scale() == 2);
  CHECK(set.matrices.size() == 8 * 6);
  CHECK(set.matrices.front() == "layers.0.attention.query.weight");
  const plan::RunPlan some = planned("adapters: {rank: 3, alpha: 6, matrices: [value, down]}");
  CHECK(adapters_of(some.stages[0]).matrices.size() == 8 * 2);
  CHECK(adapters_of(some.stages[0]).matrices[1] == "layers.0.mlp.down.weight");
  const plan::RunPlan experts =
      planned("adapters: {matrices: [up]}", {"model.experts=3", "model.experts_per_token=2"});
  CHECK(adapters_of(experts.stages[0]).matrices.size() == 8 * 3);
  const plan::RunPlan routed = planned("adapters: {}", {"model.routed_every=2"});
  CHECK(adapters_of(routed.stages[0]).matrices.size() == 8 * 6);  // not the routers
}

TEST_CASE("adapters' tensors have the shapes of the products, and A is drawn") {
  const plan::RunPlan p = planned("adapters: {rank: 3, matrices: [down]}");
  const arch::ParamTable model = arch::param_table(p.final_model),
                         table = arch::adapter_table(adapters_of(p.stages[0]), model);
  REQUIRE(table.size() == 16);
  CHECK(table[0].name == "layers.0.mlp.down.weight.a");
  CHECK(table[0].shape() == std::vector<std::int64_t>{3, 512});
  CHECK(table[0].init.kind == arch::Init::Kind::normal);
  CHECK(table[0].init.value == Approx(1 / std::sqrt(512.0)));
  CHECK(table[1].shape() == std::vector<std::int64_t>{128, 3});
  CHECK(table[1].init.kind == arch::Init::Kind::constant);
  CHECK(table[1].init.value == 0);
  const arch::ParamTable stored = arch::stored_adapters(adapters_of(p.stages[0]), model);
  CHECK(stored.size() == 8 * arch::kNumAdapterParts);
  CHECK(stored[0].name == "layers.0.mlp.down.weight.base");
  CHECK(stored[0].shape() == std::vector<std::int64_t>{128, 512});
  CHECK(stored[6].name == "layers.0.mlp.down.weight.b.exp_avg_sq");
  CHECK(stored[6].shape() == std::vector<std::int64_t>{128, 3});
}

TEST_CASE("alone, adapters are all that is trained; only their matrices have gradients") {
  const plan::RunPlan p = planned("adapters: {matrices: [query, up]}");
  const arch::ParamTable table = arch::param_table(p.final_model);
  const std::vector<bool> frozen = plan::frozen_in_step(p, p.stages[0], table, 0);
  const std::vector<bool> still =
      plan::not_moved_with_adapters(plan::policy_stage(p.stages[0]), table);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const bool adapted =
        table[i].key == "attention.query.weight" || table[i].key == "mlp.up.weight";
    CHECK(frozen[i] == !adapted);
    CHECK(still[i]);
  }
}

TEST_CASE("with train_only: new, old layers have adapters and new ones are trained whole") {
  const plan::RunPlan p = grown("adapters: {rank: 4}");
  const plan::StagePlan& stage = p.stages[1];
  const arch::ParamTable table = arch::param_table(stage.model);
  const arch::AdapterSet set = adapters_of(stage);
  CHECK(set.matrices.size() == 3 * 6);
  const std::vector<bool> still = plan::not_moved_with_adapters(plan::policy_stage(stage), table);
  const std::vector<bool> frozen = plan::frozen_in_step(p, stage, table, 0);
  std::int64_t layers_moved = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const bool adapted = std::ranges::find(set.matrices, table[i].name) != set.matrices.end();
    CHECK(still[i] == (stage.old_tensors[i]));
    CHECK(frozen[i] == (stage.old_tensors[i] && !adapted));
    if (!still[i]) CHECK(!adapted);
    if (!still[i] && table[i].key == "norm_1.weight") ++layers_moved;
  }
  CHECK(layers_moved == 2);
}

TEST_CASE("adapters save no FLOPs of their matrices, and add 6 r n in a step") {
  const plan::RunPlan plain = planned(""),
                      all = planned("adapters: {rank: 4}", {"model.tied=false"});
  const double matrices = 8 * 12 * kWidth * kWidth;
  CHECK(plan::policy_step_flops(all.stages[0]) == 6 * 4 * matrices);
  CHECK(plan::policy_step_flops(plain.stages[0]) == 0);
  // Only the head and the embeddings are frozen: the head's gradient product is not made.
  const double each = arch::flops_per_token(all.final_model) - 2 * 256 * kWidth;
  CHECK(plan::expected_flops_per_token(all.stages[0]).total == Approx(each).epsilon(1e-12));
  CHECK(all.stages[0].flops == Approx(400.0 * (16 * 128 * each + 6 * 4 * matrices)).epsilon(1e-12));
  // Of one kind of six: the others have no gradient product.
  const plan::RunPlan one = planned("adapters: {matrices: [query]}", {"model.tied=false"});
  CHECK(plan::expected_flops_per_token(one.stages[0]).total ==
        Approx(each - 2 * 11.0 / 12 * matrices).epsilon(1e-12));
}

TEST_CASE("the plan counts bases and adapters, and not the moments of what is adapted") {
  const plan::RunPlan plain = planned(""), all = planned("adapters: {rank: 4}");
  const double adapted = 8 * 12 * kWidth * kWidth;
  const double adapters = 8 * 4 * (4 * 2 * kWidth + 2 * 5 * kWidth);
  CHECK(static_cast<double>(all.stages[0].memory_bytes) -
            static_cast<double>(plain.stages[0].memory_bytes) ==
        Approx(4 * (4 * adapters - adapted)).epsilon(1e-9));
}

TEST_CASE("adapters are described, and refused where they cannot be") {
  const plan::RunPlan p = planned("adapters: {rank: 4}");
  const std::string said =
      plan::stage_policy(p.stages[0])->description(plan::policy_stage(p.stages[0]));
  CHECK(test::contains(said, "rank 4"));
  CHECK(test::contains(said, "no FLOPs"));
  check_refused("adapters: {matrices: [gate]}",
                "found gate, expected matrices that old layers of gpt2");
  check_refused("adapters: {matrices: [norm]}", "found 'norm'; expected one of query, key");
  check_refused("adapters: {rank: 129}", "rank: found 129, expected at most 128");
  check_refused("adapters: {}", "found with optimizer muon", {"optimizer={name: muon}"});
  check_refused("adapters: {}, train_last: 1", "expected only one of them");
  CHECK_NOTHROW(planned("adapters: {rank: 128}"));
  const std::string refused =
      test::refusal(ErrorKind::usage, [&] { plan::refuse_sharding(p, plan::Sharding::optimizer); });
  CHECK(test::contains(refused, "which has adapters, expected none"));
}
