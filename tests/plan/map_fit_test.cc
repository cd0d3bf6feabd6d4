// What the fit of a learned growth costs in a plan, and where it is refused.
#include "plan/map_fit.h"

#include "cost/run_cost.h"
#include "learned/learned_growth.h"
#include "plan/memory.h"
#include "plan/processes.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;

namespace {

// Two layers to four, with 8 x 32 tokens a step.
plan::RunPlan planned(const std::string& fit, const std::string& before = "",
                      std::vector<std::string> more = {}) {
  std::vector<std::string> edits = {
      "model={architecture: gpt2, layers: 4, width: 64, heads: 4, ffn: 256, context: 32, vocab: "
      "256}",
      "batch={sequences: 8}",
      "stages=[{name: small, model: {layers: 2, ffn: 192}, for: 40 steps}, {name: large, grow: [" +
          before + "{operator: ligo, layers: 4, ffn: 256, fit: " + fit + "}], for: 10 steps}]"};
  edits.insert(edits.end(), more.begin(), more.end());
  return plan::resolve(test::two_stages(edits));
}

}  // namespace

TEST_CASE("a fit has a line of the plan and counts in every total") {
  const plan::RunPlan p = planned("{steps: 20, sequences: 3}"), none = planned("{steps: 0}");
  const plan::FitCost& fit = p.stages[1].fit;
  CHECK(none.stages[1].fit.steps == 0);
  CHECK(none.stages[1].fit.flops == 0);
  CHECK(fit.tokens == 20 * 3 * 32);
  CHECK(planned("{steps: 20}").stages[1].fit.tokens == 20 * 8 * 32);
  CHECK(fit.flops == Approx(20 * 3 * 32 * arch::flops_per_token(p.final_model) +
                            20 * grow::map_flops(p.stages[1].growth->steps[0])));
  CHECK(p.tokens == none.tokens + fit.tokens);
  CHECK(p.flops == Approx(none.flops + fit.flops));
  CHECK(p.total_steps == none.total_steps);
  CHECK(contains(plan::to_text(p), "fit of large"));
  CHECK(!contains(plan::to_text(none), "fit of"));
  const Json json = plan::to_json(p);
  CHECK(json["stages"][1]["fit_steps"] == 20);
  CHECK(json["stages"][1]["fit_tokens"] == fit.tokens);
  CHECK(json["stages"][1]["fit_flops"] == fit.flops);
}

TEST_CASE("the costs of a run with a fit are those of both parts") {
  const std::vector<std::string> machine = {"machine.flops=1e9", "machine.utilisation=1"};
  const plan::RunPlan p = planned("{steps: 20}", "", machine),
                      none = planned("{steps: 0}", "", machine);
  const plan::Costs with = plan::run_cost(p).total, without = plan::run_cost(none).total;
  const auto tokens = static_cast<double>(p.stages[1].fit.tokens);
  CHECK(with.flops == Approx(p.flops));
  CHECK(with.training_seconds - without.training_seconds ==
        Approx(tokens * arch::flops_per_token(p.final_model) / 1e9));
  CHECK(with.parameters - without.parameters ==
        Approx(6 * tokens * static_cast<double>(p.stages[1].params.active)));
  // Causal attention is half of full attention.
  CHECK(with.flops - with.causal_flops - (without.flops - without.causal_flops) ==
        Approx(tokens * arch::attention_flops_per_token(p.final_model) / 2));
}

TEST_CASE("the memory of a fit is that of both models and of the sequences of its steps") {
  const auto bytes = [](const std::string& fit) {
    return static_cast<double>(planned(fit).stages[1].growth_memory_bytes);
  };
  const double none = bytes("{steps: 0}");
  CHECK(bytes("{steps: 20, sequences: 1}") >= none);
  const double some = bytes("{steps: 20, sequences: 64}"),
               twice = bytes("{steps: 20, sequences: 128}");
  CHECK(some > none);
  // Each sequence has 32 tokens of activations and logits, and nothing else depends on them.
  const plan::RunPlan p = planned("{steps: 20}");
  schedule::Schedule one = p.schedule;
  one.batch.sequences = 1;
  const plan::MemoryParts parts = plan::training_memory(one, p.final_model, 1);
  CHECK(twice - some == Approx(64 * (parts.activations + parts.logits)).epsilon(1e-6));
  CHECK(contains(plan::to_text(p), "both models while the maps are fitted"));
}

TEST_CASE("predicted layers count the memory of their matrices and of the decomposition") {
  const auto bytes = [](const char* new_layers) {
    const plan::RunPlan p = plan::resolve(test::two_stages(
        {"model={architecture: gpt2, layers: 5, width: 64, heads: 4, context: 32, vocab: 256}",
         std::string("stages=[{name: small, model: {layers: 3}, for: 9}, {name: large, grow: "
                     "[{operator: depth, layers: [0, 0, 1, 1, 2], new_layers: ") +
             new_layers + "}], for: 9}]"}));
    return static_cast<double>(p.stages[1].growth_memory_bytes);
  };
  const double square = 64 * 64;
  // Two new layers of 12 squares each wait; the largest kind has 4 squares in each of 3 layers.
  CHECK(bytes("predicted") - bytes("copied") ==
        Approx(4 * 2 * 12 * square + 10 * 8 * 3 * 4 * square).epsilon(1e-9));
}

TEST_CASE("a fit is refused where it cannot be run") {
  using plan::Sharding;
  const auto refused = [](const std::string& says, const auto& what) {
    const std::string said = test::refusal(ErrorKind::usage, what);
    INFO(said);
    CHECK(contains(said, says));
  };
  refused("expected ligo or mango alone",
          [] { planned("{steps: 5}", "{operator: clone, axes: [ffn], factor: 1}, "); });
  CHECK_NOTHROW(planned("{steps: 0}", "{operator: clone, axes: [ffn], factor: 1}, "));
  refused("expected fit.steps: 0, or another operator",
          [] { plan::refuse_sharding(planned("{steps: 5}"), Sharding::full); });
  CHECK_NOTHROW(plan::refuse_sharding(planned("{steps: 5}"), Sharding::optimizer));
  refused("after a fit no rule gives the moments",
          [] { planned("{steps: 5}, moments: reset_new"); });
  refused("--set stages:1:", [] { planned("{steps: 5}, moments: reset_new"); });
  refused("expected plain", [] { planned("{steps: 5}, dynamics: exact"); });
  CHECK_NOTHROW(planned("{steps: 0}, moments: reset_new, dynamics: exact"));
}
