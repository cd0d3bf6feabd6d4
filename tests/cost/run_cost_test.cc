// Costs, memory and jobs, to the figures of planning.md §F (T9).
#include "cost/run_cost.h"

#include "jobs/slurm.h"
#include "plan/memory.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

constexpr double kGiB = 1024.0 * 1024 * 1024;

// GPT-2 of 124M parameters: vocabulary of 50,257, 8 sequences of 1,024 tokens.
RunPlan gpt2(std::vector<std::string> more = {}) {
  std::vector<std::string> edits = {
      "model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
      "batch={sequences: 8, micro: 8}", "stages=[{name: whole, for: 1000}]"};
  edits.insert(edits.end(), more.begin(), more.end());
  return resolve(test::two_stages(edits));
}

arch::ModelConfig model_of(std::int64_t layers, std::int64_t width) {
  arch::ModelConfig model;
  model.layers = layers;
  model.width = width;
  model.heads = width / 64;
  model.context = 1024;
  model.vocab = 50257;
  return arch::resolved(model);
}

Measurements measured(const RunPlan& plan, double seconds_per_token) {
  Measurements known;
  for (const StagePlan& stage : plan.stages) {
    Measurement one;
    one.key = measurement_key(plan, stage);
    one.key.device = "a machine";
    one.seconds_per_token = seconds_per_token;
    one.peak_bytes = 5e9;
    known.put(one);
  }
  return known;
}

}  // namespace

TEST_CASE("recomputing blocks keeps what enters them and one inside, for a forward pass more") {
  using schedule::Recompute;
  const RunPlan plan = gpt2();
  const arch::ModelConfig& model = plan.stages[0].model;
  const double width = 4.0 * 8 * 1024 * 768;  // bytes of an array of the residual stream's size
  CHECK(activation_memory(plan.schedule, model, Recompute::none) == (12 * 18 + 2) * width);
  CHECK(activation_memory(plan.schedule, model, Recompute::norms) == (12 * 16 + 3) * width);
  CHECK(activation_memory(plan.schedule, model, Recompute::blocks) == (12 + 18 + 2) * width);
  CHECK(recomputed_flops_per_token(model, Recompute::norms) == 0);
  CHECK(recomputed_flops_per_token(model, Recompute::blocks) ==
        (arch::flops_per_token(model) - 6.0 * 768 * 50257) / 3);
  const RunPlan again = gpt2({"batch.recompute=blocks", "machine.flops=1e12"});
  const RunCost cost = run_cost(again, {}), kept = run_cost(gpt2({"machine.flops=1e12"}), {});
  CHECK(cost.stages[0].memory.total() < kept.stages[0].memory.total());
  CHECK(cost.stages[0].seconds_per_token > 1.2 * kept.stages[0].seconds_per_token);
}

TEST_CASE("FLOPs of a token of GPT-2 are the exact matrix products", "[T9]") {
  CHECK(arch::flops_per_token(model_of(12, 768)) == 854438400);
  CHECK(arch::flops_per_token(model_of(12, 768)) -
            arch::attention_flops_per_token(model_of(12, 768)) / 2 ==
        797815296);
  CHECK(arch::flops_per_token(model_of(6, 768)) == 543011328);
  CHECK(arch::flops_per_token(model_of(12, 384)) == 299817216);
  CHECK(arch::flops_per_token(model_of(1, 768)) == 283488768);
  CHECK(arch::flops_per_token(model_of(6, 768)) / arch::flops_per_token(model_of(12, 768)) ==
        Approx(.6355184).epsilon(1e-7));
  CHECK(arch::flops_per_token(model_of(12, 384)) / arch::flops_per_token(model_of(12, 768)) ==
        Approx(.3508939).epsilon(1e-7));
}

TEST_CASE("a run's costs are counted in four ways") {
  const RunPlan plan = gpt2();
  const Costs costs = run_cost(plan).total;
  const double tokens = 1000.0 * 8 * 1024;
  CHECK(costs.flops == Approx(854438400 * tokens).epsilon(1e-12));
  CHECK(costs.causal_flops == Approx(797815296 * tokens).epsilon(1e-12));
  CHECK(costs.parameters == Approx(746638848 * tokens).epsilon(1e-12));
  CHECK(costs.non_embedding ==
        Approx(6.0 * static_cast<double>(plan.stages[0].params.non_embedding) * tokens));
  CHECK(costs.seconds() == 0);
}

TEST_CASE("shorter sequences at first have less attention to halve") {
  const RunPlan plan = gpt2({"batch.length_warmup={start: 128, over: 500}"});
  const Costs costs = run_cost(plan).total;
  const double tokens = 1000.0 * 8 * 1024;
  const double matrices = 854438400.0 - arch::attention_flops_per_token(model_of(12, 768));
  CHECK(costs.flops < 854438400 * tokens);
  CHECK(costs.causal_flops - matrices * tokens ==
        Approx((costs.flops - matrices * tokens) / 2).epsilon(1e-9));
}

TEST_CASE("memory is weights, gradients, moments, activations and logits", "[T9]") {
  const RunPlan plan = gpt2();
  const MemoryParts parts = run_cost(plan).stages[0].memory;
  const double state = parts.weights + parts.gradients + parts.moments;
  CHECK(state == 16.0 * 124439808);
  CHECK(state / kGiB == Approx(1.854298).epsilon(1e-6));
  CHECK(parts.logits / kGiB == Approx(3.067444).epsilon(1e-6));
  CHECK(static_cast<double>(plan.stages[0].memory_bytes) == Approx(parts.total()));
  const arch::ModelConfig model = model_of(12, 768);
  CHECK(activations_of_the_literature(model, 8, false) / kGiB == 8.015625);
  CHECK(activations_of_the_literature(model, 8, true) / kGiB == 2.390625);
  const schedule::Schedule half = gpt2({"precision=bf16"}).schedule;
  const MemoryParts mixed = training_memory(half, model, 124439808);
  CHECK(mixed.weights + mixed.gradients + mixed.moments == 20.0 * 124439808);
  CHECK(growth_memory(plan.schedule, 80e6, 124e6) == 12 * 204e6);
  const RunPlan averaged = gpt2({"ema={decay: 0.999}"});
  CHECK(averaged.stages[0].memory_bytes - plan.stages[0].memory_bytes == 4u * 124439808);
  CHECK(static_cast<double>(averaged.stages[0].checkpoint_bytes) ==
        Approx(4.0 / 3 * static_cast<double>(plan.stages[0].checkpoint_bytes)).epsilon(1e-3));
  CHECK(growth_memory(averaged.schedule, 80e6, 124e6) == 16 * 204e6);
}

TEST_CASE("a run that takes more hours than a job has becomes several jobs", "[T9]") {
  const double seconds = 6.0 * 124439808 * 2.5e9 / 6e13;
  CHECK(seconds == Approx(31109.952).epsilon(1e-9));
  const JobTimes times{.start = 120, .signal = 330};
  CHECK(jobs_needed(seconds, 4 * 3600, times) == 3);
  CHECK(jobs_needed(1, 4 * 3600, times) == 1);
  CHECK(jobs_needed(3 * (4 * 3600 - 450.0), 4 * 3600, times) == 3);
  CHECK(jobs_needed(3 * (4 * 3600 - 450.0) + 1, 4 * 3600, times) == 4);
  CHECK(contains(test::refusal(ErrorKind::usage, [] { jobs_needed(1, 400); }), "a longer slice"));
}

TEST_CASE("time and money come from the machine's FLOPs") {
  const RunPlan plan = resolve(
      test::two_stages({"machine={flops: 1T, utilisation: 0.5, price_per_hour: 2, disk: 1M}"}));
  const RunCost cost = run_cost(plan);
  REQUIRE(cost.timed);
  CHECK(cost.total.training_seconds == Approx(plan.flops / 5e11));
  CHECK(cost.total.money == Approx(cost.total.seconds() / 1800));
  CHECK(cost.stages[0].evaluations == 11);  // every 200 of 2,100 steps, and at the end
  CHECK(cost.stages[1].evaluations == 5);
  CHECK(cost.stages[0].checkpoints == 5);
  CHECK(cost.stages[0].costs.evaluation_seconds ==
        Approx(11 * 64000.0 * cost.stages[0].seconds_per_token / 3));
  CHECK(cost.stages[1].costs.saving_seconds ==
        Approx((2 + 1) * static_cast<double>(plan.stages[1].checkpoint_bytes) / 1e6));
  CHECK(cost.stages[0].lost_steps == 50);
  CHECK(contains(cost.time_source, "50% of 1TFLOPs a second"));
  CHECK(contains(run_cost(resolve(test::two_stages())).time_source, "plan --measure"));
}

TEST_CASE("what the kept checkpoints ask for is counted, each step once") {
  const auto stage = [](const char* keep) {
    const std::string edit = std::string("checkpoint.keep=") + keep;
    return run_cost(resolve(test::two_stages({"machine.flops=1T", edit}))).stages[0];
  };
  // Of 2,100 steps: 200, 400, ..., 2000 to evaluate, 500, 1000, 1500 and 2000 to save; the end.
  CHECK(stage("2").checkpoints == 5);
  CHECK(stage("2").evaluations == 11);
  CHECK(stage("{best: 1}").checkpoints == 5);
  CHECK(stage("{best: 1}").evaluations == 13);  // also after 500 and 1500
  CHECK(stage("{every: 300 steps}").checkpoints == 10);
  CHECK(stage("{every: 300 steps}").evaluations == 11);
  CHECK(stage("{every: 300 steps, best: 1}").evaluations == 15);
  const RunPlan by_tokens = resolve(
      test::two_stages({"machine.flops=1T", "checkpoint={every: 1M tokens, keep: {best: 1}}",
                        "evaluate.every=1M tokens"}));
  const StageCost cost = run_cost(by_tokens).stages[0];
  CHECK(cost.evaluations == cost.checkpoints);
  CHECK(cost.evaluations == (by_tokens.stages[0].tokens + 999999) / 1000000);
}

TEST_CASE("a measurement comes before an assumption, and its memory before an estimate") {
  const RunPlan plan = resolve(test::two_stages({"machine.flops=1T"}));
  const RunCost cost = run_cost(plan, measured(plan, 1e-6));
  CHECK(cost.total.training_seconds == Approx(static_cast<double>(plan.tokens) * 1e-6));
  CHECK(cost.time_source == "measured");
  CHECK(cost.stages[0].measured_bytes == 5e9);
  RunPlan other = plan;
  other.schedule.machine.device = "another machine";
  CHECK_FALSE(run_cost(other, measured(plan, 1e-6)).stages[0].measured);
}

TEST_CASE("a run that needs more memory than the machine has is refused") {
  const RunPlan plan = resolve(test::two_stages({"machine.memory=20M"}));
  const std::string said = test::refusal(ErrorKind::usage, [&] { run_cost(plan); });
  CHECK(contains(said, "shallow: training takes"));
  CHECK(contains(said, "use a smaller batch.micro"));
}

TEST_CASE("costs as text fit 100 columns, and as JSON have all digits") {
  const RunPlan plan = resolve(test::two_stages(
      {"model={layers: 96, width: 12288, heads: 96, context: 2048, vocab: 50257}",
       "stages.0.model={layers: 48}", "stages.1.grow.0.layers=96", "stages.shallow.for=100000",
       "machine={flops: 1000T, price_per_hour: 30, memory: 900T, devices: 8, bandwidth: 100M}"}));
  const RunCost cost = run_cost(plan);
  for (const RunCost& any : {cost, run_cost(plan, {}, {4096, Sharding::full})})
    for (const std::string& line : split(to_text(plan, any), '\n')) {
      INFO(line);
      CHECK(line.size() <= 100);
    }
  const Json json = to_json(plan, cost);
  CHECK(json["total"]["flops"] == cost.total.flops);
  CHECK(json["stages"][1]["memory_bytes"]["logits"] == cost.stages[1].memory.logits);
  CHECK(json["stages"][0]["lost_warmup_steps"] == 50);
}
