// Adapters that begin from a larger model: what that costs in the plan, and what is refused.
#include "arch/architectures.h"
#include "arch/cost.h"
#include "cost/run_cost.h"
#include "policies/transplant.h"
#include "support/policy_plan.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

const std::string kModel =
    "model={architecture: gpt2, layers: 4, width: 64, heads: 4, context: 128, vocab: 256}";

arch::ModelConfig larger(arch::ModelConfig changed = {}) {
  changed.layers = changed.layers ? changed.layers : 6;
  changed.width = changed.width ? changed.width : 96;
  changed.heads = 4;
  changed.vocab = changed.vocab ? changed.vocab : 256;
  changed.context = changed.context ? changed.context : 64;
  return arch::resolved(changed);
}

plan::RunPlan planned(const std::string& adapters, const plan::DataFacts& facts = {}) {
  return plan::resolve(
      test::two_stages(
          {kModel, "stages=[{name: whole, for: 100 steps, adapters: " + adapters + "}]"}),
      facts);
}

plan::DataFacts facts_with(const arch::ModelConfig& model) {
  plan::DataFacts facts;
  facts.larger["big.h5"] = model;
  return facts;
}

void check_refused(const arch::ModelConfig& model, const std::string& says) {
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    planned("{rank: 4, from: big.h5, matrices: [query, up]}", facts_with(model));
  });
  INFO(said);
  CHECK(contains(said, "stages.0.adapters: from: found gpt2"));
  CHECK(contains(said, "in big.h5, expected " + says));
}

}  // namespace

TEST_CASE("the samples' forward and backward passes through the larger model are in every total") {
  const plan::RunPlan drawn = planned("{rank: 4}");
  const plan::RunPlan p = planned("{rank: 4, from: big.h5, samples: 20}", facts_with(larger()));
  const double cost = 20 * 64 * arch::flops_per_token(larger(), 64);
  CHECK(p.stages[0].start.total == Approx(cost).epsilon(1e-12));
  CHECK(p.stages[0].flops == drawn.stages[0].flops);
  CHECK(p.flops == Approx(drawn.flops + cost).epsilon(1e-12));
  const plan::RunCost with = plan::run_cost(p), without = plan::run_cost(drawn);
  CHECK(with.total.flops - without.total.flops == Approx(cost).epsilon(1e-9));
  CHECK(with.total.causal_flops - without.total.causal_flops ==
        Approx(cost - 20 * 64 * arch::attention_flops_per_token(larger(), 64) / 2).epsilon(1e-9));
  CHECK(plan::to_json(p)["stages"][0]["sensitivity_flops"] == p.stages[0].start.total);
  const std::string text = plan::to_text(p);
  CHECK(contains(text, "sensitivity pass"));
  CHECK(contains(text, "20 sequences of text are most sensitive"));
  CHECK(contains(text, "FLOPs of gpt2, 6 layers x 96"));
  CHECK_FALSE(contains(plan::to_text(drawn), "sensitiv"));
  // As long as both models can read.
  CHECK(plan::sample_length(larger({.context = 512}), p.final_model) == 128);
}

TEST_CASE("without the file the plan says that the cost is not known") {
  const plan::RunPlan p = planned("{rank: 4, from: big.h5}");
  CHECK(p.flops == p.stages[0].flops);
  CHECK(plan::start_flops_text(p.stages[0]) == "?");
  CHECK(plan::total_flops_text(p) == "over " + short_count(p.flops));
  CHECK_FALSE(plan::total_flops_text(planned("{rank: 4}")).starts_with("over"));
  CHECK(contains(plan::adapters().description(plan::policy_stage(p.stages[0])),
                 "without that file its cost is not known, nor counted"));
}

TEST_CASE("a model that is smaller, or of another kind, is refused") {
  CHECK_NOTHROW(planned("{rank: 4, from: big.h5}", facts_with(larger({.layers = 4, .width = 64}))));
  check_refused(larger({.layers = 3}), "at least the 4 layers of this stage");
  check_refused(larger({.vocab = 300}), "vocab 256");
  check_refused(larger({.width = 48}),
                "matrices attention.query.weight of at least 64 x 64, not 48 x 48");
  check_refused(larger({.ffn = 100}), "matrices mlp.up.weight of at least 256 x 64, not 100 x 96");
  check_refused(larger({.experts = 3}), "a model with matrices mlp.up.weight");
  const std::string said = test::refusal(ErrorKind::usage, [&] {
    planned("{from: big.h5}", facts_with(larger({.architecture = "llama"})));
  });
  CHECK(contains(said, "expected a model of the architecture gpt2"));
  CHECK(contains(said, "found llama, 6 layers x 96"));
}
