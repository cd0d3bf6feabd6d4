// From schedules to plans: models, lengths, ramps, costs, branches, and what is refused.
#include "checkpoint/checkpoint.h"
#include "plan/run_plan.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using plan::RunPlan;
using test::contains;

namespace {

using Edits = std::vector<std::string>;

RunPlan planned(const Edits& edits = {}, const plan::DataFacts& facts = {}) {
  return plan::resolve(test::two_stages(edits), facts);
}

void check_refused(const Edits& edits, const std::string& says) {
  const std::string said = test::refusal(ErrorKind::usage, [&] { planned(edits); });
  INFO((edits.empty() ? "" : edits.front()) << ": " << said);
  CHECK(contains(said, says));
}

// GPT-2, grown from 6 layers; batches of 8.
const Edits kGpt2 = {"model={layers: 12, width: 768, heads: 12, context: 1024, vocab: 50257}",
                     "stages.0.model={layers: 6}", "stages.1.grow.0.layers=12",
                     "batch={sequences: 8}"};

}  // namespace

TEST_CASE("a plan knows every stage's model, steps, tokens and FLOPs") {
  const RunPlan p = planned();
  REQUIRE(p.stages.size() == 2);
  CHECK(p.stages[0].model.layers == 2);
  CHECK(p.stages[1].model == p.final_model);
  CHECK(p.stages[1].first_step == 2100);
  CHECK(p.total_steps == 3000);
  CHECK(p.tokens == 3000 * 2048);
  CHECK(p.stages[0].flops == 2100 * 2048 * arch::flops_per_token(p.stages[0].model));
  CHECK(p.flops == p.stages[0].flops + p.stages[1].flops);
  CHECK_FALSE(p.stages[0].growth.has_value());
  REQUIRE(p.stages[1].growth.has_value());
  CHECK(p.stages[1].growth->exact());
  CHECK(p.warmup_steps == 100);
  CHECK(p.decay_steps == 600);
  CHECK(p.evaluate_every == plan::Every{.steps = 200});
  CHECK(p.checkpoint_every == plan::Every{.steps = 500});
  CHECK(p.decayed);
  CHECK(p.warnings.empty());
}

TEST_CASE("GPT-2 has the published counts") {
  const RunPlan p = planned(kGpt2);
  CHECK(p.stages[1].params.total == 124439808);
  CHECK(arch::flops_per_token(p.stages[1].model) == 854438400);
  CHECK(arch::flops_per_token(p.stages[0].model) == 543011328);
}

TEST_CASE("durations count steps, tokens, FLOPs and epochs, rounded up to whole steps") {
  CHECK(planned({"stages.full.for=2048 tokens"}).stages[1].steps == 1);
  CHECK(planned({"stages.full.for=2049 tokens"}).stages[1].steps == 2);
  const double step = planned().stages[1].flops / 900;
  CHECK(planned({fmt::format("stages.full.for={} flops", 10 * step)}).stages[1].steps == 10);
  CHECK(planned({fmt::format("stages.full.for={} flops", 10.01 * step)}).stages[1].steps == 11);
  const RunPlan epochs = planned({"stages.full.for=2.5 epochs"}, {.train_tokens = 161 * 128});
  CHECK(epochs.stages[1].steps == 25);
  CHECK(*plan::epochs(epochs) == Approx((2100.0 + 25) * 16 / 160));
  check_refused({"stages.full.for=2 epochs"},
                "two.yaml:10:5: stages.1.for: '2 epochs': the length of an epoch is unknown");
}

TEST_CASE("lengths along the run may be steps, tokens or percent of it") {
  const RunPlan p = planned(
      {"lr.warmup=2%", "lr.decay=1M tokens", "evaluate.every=4096 tokens", "checkpoint.every=0"});
  CHECK(p.warmup_steps == 60);
  CHECK(p.decay_steps == 489);
  CHECK(p.evaluate_every == plan::Every{.tokens = 4096});
  CHECK(p.checkpoint_every.only_at_ends());
}

TEST_CASE("until is kept beside the longest length") {
  const RunPlan p = planned({"stages.shallow.until={loss: 1.8}"});
  CHECK(p.stages[0].until_loss == 1.8);
  CHECK(p.stages[0].steps == 2100);
  CHECK_FALSE(p.stages[1].until_loss.has_value());
}

TEST_CASE("peaks and re-warm-ups may be a stage's own") {
  const RunPlan p = planned({"lr.rewarm=50 steps"});
  CHECK(p.stages[0].rewarm_steps == 0);
  CHECK(p.stages[1].rewarm_steps == 50);
  const RunPlan own = planned({"lr.rewarm=50 steps", "stages.full.lr={peak: 1e-3, rewarm: 150}"});
  CHECK(own.stages[0].peak_lr == 3e-3);
  CHECK(own.stages[1].peak_lr == 1e-3);
  CHECK(own.stages[1].rewarm_steps == 150);
  const auto rate = [&](std::int64_t step) {
    return plan::learning_rate(own, own.stages[1], step, step - 2100, own.total_steps);
  };
  CHECK(rate(2100) == Approx(1e-3 / 150));
  CHECK(rate(2300) == Approx(1e-3));
  CHECK(rate(2700) == Approx(0.5e-3));
}

TEST_CASE("a batch-size warm-up costs what its smaller steps cost") {
  const RunPlan p = planned({"batch.size_warmup={start: 4, over: 100}"});
  const schedule::Schedule& s = p.schedule;
  CHECK(plan::sequences_at(s, 0) == 4);
  CHECK(plan::sequences_at(s, 50) == 10);
  CHECK(plan::sequences_at(s, 100) == 16);
  std::int64_t sequences = 0;
  for (std::int64_t step = 0; step < 2100; ++step) sequences += plan::sequences_at(s, step);
  CHECK(p.stages[0].steps == 2100);
  CHECK(p.stages[0].tokens == sequences * 128);
  const RunPlan short_run =
      planned({"batch.size_warmup={start: 4, over: 100}", "stages.shallow.for=1024 tokens"});
  CHECK(short_run.stages[0].steps == 2);
}

TEST_CASE("a length warm-up keeps the tokens of a step and costs less attention") {
  const RunPlan p = planned({"batch.length_warmup={start: 16, over: 100}"});
  const schedule::Schedule& s = p.schedule;
  CHECK(plan::length_at(s, p.final_model, 0) == 16);
  CHECK(plan::length_at(s, p.final_model, 50) == 64);
  CHECK(plan::length_at(s, p.final_model, 100) == 128);
  for (std::int64_t step = 0; step < 100; ++step)
    CHECK(128 % plan::length_at(s, p.final_model, step) == 0);
  CHECK(p.stages[0].tokens == planned().stages[0].tokens);
  CHECK(p.stages[0].flops < planned().stages[0].flops);
  CHECK(p.stages[0].flops > 0.98 * planned().stages[0].flops);
}

TEST_CASE("a ramp of a million steps is planned at once") {
  const RunPlan p = planned({"batch.length_warmup={start: 1, over: 1e6}", "stages.full.for=1e6"});
  CHECK(p.total_steps == 1002100);
}

TEST_CASE("stages that do not grow into the final model are refused") {
  check_refused({"stages.1.grow.0.layers=5"},
                "two.yaml:10:5: stages do not end at the final model: 'full' is gpt2, 5 layers");
  check_refused({"stages.1.grow.0.layers=1"}, "stages.1.grow.0: depth to 1 layers: the source has 2");
  check_refused({"stages.1.grow=[{operator: dept, layers: 6}]"}, "did you mean 'depth'?");
  check_refused({"stages.1.grow=[{operator: depth, layer: 6}]"}, "did you mean 'layers'?");
  check_refused({"stages.1.grow=[]"}, "found a list of 0, expected a list of operators");
  check_refused({"stages.1.grow=[{operator: width, factor: 2}]"}, "do not end at the final model");
  check_refused({"stages.0.model={layers: 2, context: 64}"}, "do not end at the final model");
}

TEST_CASE("models that do not resolve are refused at their place") {
  check_refused({"model.heads=5"}, "model.heads 5 does not divide model.width 128");
  check_refused({"stages.0.model={layers: 2, heads: 3}"},
                "stages.0.model.heads 3 does not divide model.width 128");
  check_refused({"stages.0.model={layer: 2}"}, "unknown key 'stages.0.model.layer'");
  check_refused({"model={architecture: gpt2, width: 64, heads: 4, context: 32, vocab: 256}"},
                "model.layers is missing");
  check_refused({"model.layers=0"}, "stages do not end at the final model");
  check_refused({"model.kv_heads=2"}, "gpt2 has no grouped queries");
  check_refused({"model.prelude=1"}, "two.yaml:3:8: model: found prelude 1, coda 0");
  check_refused({"stages.0.model={layers: 2, prelude: 1}"}, ": stages.0.model: found prelude 1");
}

TEST_CASE("sizes and lengths that overflow anything are refused") {
  check_refused({"model={layers: 60000, width: 16M, heads: 1, context: 128, vocab: 256}"},
                "parameters, expected at most 1e+15");
  check_refused({"model.heads=16M", "model.head_dim=16M"}, "parameters, expected at most 1e+15");
  check_refused({"stages.0.model={layers: 100}", "stages.1.grow=[{operator: depth, factor: 1024}]"},
                "model.layers is 102400, expected 0 to 65536");
  check_refused({"stages.0.model={width: 300000}", "stages.1.grow=[{operator: width, factor: 64}]"},
                "model.width is 19200000, expected 0 to 16777216");
  check_refused({"stages.full.for=1e300 tokens"},
                "stages.1.for: 4.88e+296 steps, expected at most");
  check_refused({"stages.full.for=1e300 flops"}, "steps, expected at most 1e+09");
  check_refused({"stages.full.for=1e9", "batch.sequences=16M"}, "tokens, expected at most 1e+15");
  check_refused({"batch.sequences=16M", "model.context=16M"}, "tokens in a step");
  check_refused({"stages.full.for=1e9"}, "1,000,002,100 steps together");
  CHECK(planned({"lr.warmup=1e300", "evaluate.every=1e300 tokens"}).warmup_steps == 3000);
}

TEST_CASE("a checkpoint to start from must hold the first stage's model") {
  const schedule::Schedule s = test::two_stages({"from=small.h5"});
  const arch::ModelConfig first = planned().stages[0].model;
  CHECK(plan::resolve(s, {}, first).stages[0].model == first);
  const std::string said =
      test::refusal(ErrorKind::usage, [&] { plan::resolve(s, {}, planned().final_model); });
  CHECK(contains(said, "the checkpoint small.h5 holds gpt2, 6 layers x 128"));
  CHECK(contains(said, "expected gpt2, 2 layers x 128"));
}

TEST_CASE("checkpoints are as large as they say, and memory counts what training holds") {
  const RunPlan p = planned(kGpt2);
  const auto& big = p.stages[1];
  const double params = 124439808;
  CHECK(static_cast<double>(big.checkpoint_bytes) == Approx(12 * params).epsilon(0.01));
  CHECK(big.checkpoint_bytes == state::checkpoint_bytes(big.model));
  // Weights, gradients and two moments; 18 numbers of the width for each layer and token; logits
  // and their gradient.
  const double tokens = 8 * 1024;
  const double expected = 16 * params + tokens * 12 * 18 * 768 * 4 + 2 * 4 * tokens * 50257;
  CHECK(static_cast<double>(big.memory_bytes) == Approx(expected).epsilon(0.02));
  CHECK(static_cast<double>(big.growth_memory_bytes) ==
        Approx(12 * (params + static_cast<double>(p.stages[0].params.total))));
  CHECK(p.stages[0].growth_memory_bytes == 0);

  Edits half = kGpt2;
  half.insert(half.end(), {"precision=bf16", "batch.micro=1"});
  CHECK(planned(half).stages[1].memory_bytes < big.memory_bytes / 2);
  Edits twice = kGpt2;
  twice.push_back("precision=fp64");
  CHECK(planned(twice).stages[1].checkpoint_bytes > 1.99 * big.checkpoint_bytes);
}

TEST_CASE("scratch runs share their stable part, the shorter keeping a branch") {
  const RunPlan staged = planned({"scratch.budgets=[100%, 60%, 1M tokens]"});
  const auto runs = plan::resolve_scratch(staged);
  REQUIRE(runs.size() == 3);
  CHECK(runs[0].total_steps == 489);
  CHECK(runs[1].total_steps == 1800);
  CHECK(runs[2].total_steps == 3000);
  CHECK(runs[1].branch_step == 1800 - 360);
  CHECK_FALSE(runs[2].branch_step.has_value());
  for (const RunPlan& run : runs) {
    CHECK(run.role == plan::Role::scratch);
    REQUIRE(run.stages.size() == 1);
    CHECK(run.stages[0].model == staged.final_model);
  }
  for (std::int64_t step = 0; step <= *runs[1].branch_step; step += 7)
    CHECK(plan::learning_rate(runs[1], runs[1].stages[0], step, step, 1800) ==
          plan::learning_rate(runs[2], runs[2].stages[0], step, step, 3000));
}

TEST_CASE("scratch runs with different warm-ups or another curve have no branch") {
  for (const auto& edits : {Edits{"lr.warmup=5%"}, Edits{"lr.curve=cosine"}})
    for (const RunPlan& run : plan::resolve_scratch(planned(edits)))
      CHECK_FALSE(run.branch_step.has_value());
}

TEST_CASE("a budget that comes to nothing or to too much is refused at its place") {
  const auto said = [](const std::string& budget) {
    return test::refusal(ErrorKind::usage, [&] {
      const std::string text = test::kTwoStages + "scratch: {budgets: [" + budget + "]}\n";
      plan::resolve_scratch(plan::resolve(schedule::parse(text, "two.yaml")));
    });
  };
  CHECK(
      contains(said("0.001%"), "two.yaml:13:20: scratch.budgets: '0.001%' is less than one step"));
  CHECK(contains(said("1e30 flops"), "two.yaml:13:20: scratch.budgets: stages.0.for: "));
}

TEST_CASE("a plan warns of what will not be comparable") {
  const auto warned = [](const Edits& edits) { return join(planned(edits).warnings, "\n"); };
  CHECK(contains(warned({"lr.curve=constant"}), "never decays"));
  CHECK(contains(warned({"lr.warmup=2000", "lr.decay=2000"}), "overlap"));
  CHECK(contains(warned({"lr.decay=0"}), "decay"));
}

namespace {

// 32 tokens of context in the first stage, 128 in the second: 512 and 2,048 tokens a step.
const Edits kTwoContexts = {"stages.0.model={context: 32}",
                            "stages.1.grow=[{operator: context, length: 128}]"};

Edits two_contexts(const Edits& more) {
  Edits edits = kTwoContexts;
  edits.insert(edits.end(), more.begin(), more.end());
  return edits;
}

}  // namespace

TEST_CASE("an epoch is as many steps as the stage's own context makes of the text") {
  // 386,000 tokens: 3,014 windows of 128 and 12,061 of 32.
  const plan::DataFacts facts{.train_tokens = 386000};
  const RunPlan p = planned(two_contexts({"stages.0.for=1 epochs", "stages.1.for=1 epochs"}), facts);
  CHECK(p.stages[0].steps == 754);
  CHECK(p.stages[1].steps == 189);
  CHECK(*plan::epochs(p) == Approx(2).epsilon(3e-3));  // whole steps
}

TEST_CASE("tokens of a warm-up, a decay and a re-warm-up are those of their own stages' steps") {
  const RunPlan p = planned(two_contexts({"stages.0.for=1000", "stages.1.for=100",
                                          "lr.warmup=51200 tokens", "lr.rewarm=20480 tokens",
                                          "lr.decay=215040 tokens"}));
  CHECK(p.warmup_steps == 100);           // of 512 tokens
  CHECK(p.stages[1].rewarm_steps == 10);  // of 2,048
  // 100 steps of 2,048 tokens and 20 of 512 before them.
  CHECK(p.decay_steps == 120);
  // A warm-up that reaches into the second stage.
  CHECK(planned(two_contexts({"stages.0.for=10", "lr.warmup=7168 tokens"})).warmup_steps == 11);
}

TEST_CASE("tokens of a warm-up are counted along the warm-ups of batch and length") {
  const RunPlan p = planned({"batch.size_warmup={start: 4, over: 100}", "lr.warmup=100K tokens"});
  std::int64_t tokens = 0, steps = 0;
  while (tokens < 100000) tokens += plan::sequences_at(p.schedule, steps++) * 128;
  CHECK(p.warmup_steps == steps);
}

TEST_CASE("the sizes of a model that the reference requires cannot be 0, and it says so") {
  int required = 0;
  for (const FieldRow& row : schedule::document()) {
    if (!row.path.starts_with("model.") || row.fallback != "required") continue;
    if (row.path == "model.layers") continue;  // 0 is a model without layers
    INFO(row.path << ": " << row.type);
    CHECK(contains(row.type, "from 1"));
    CHECK(contains(
        test::refusal(ErrorKind::usage, [&] { plan::resolve(test::gpt2_124m({row.path + "=0"})); }),
        "is 0, expected"));
    ++required;
  }
  CHECK(required >= 3);
}

TEST_CASE("evaluations in tokens fall due when the run's tokens have passed a multiple") {
  const RunPlan p = planned(two_contexts({"stages.0.for=100", "stages.1.for=100",
                                          "evaluate.every=10K tokens",
                                          "batch.size_warmup={start: 1, over: 60}"}));
  REQUIRE(p.evaluate_every == plan::Every{.tokens = 10000});
  std::int64_t tokens = 0, due = 0, last = 0;
  for (const plan::StagePlan& stage : p.stages) {
    const plan::StepSums sums(p.schedule, stage.model);
    const std::int64_t end = stage.first_step + stage.steps;
    std::int64_t last_in_stage = stage.first_step;
    for (std::int64_t step = stage.first_step + 1; step <= end; ++step) {
      const std::int64_t of_step = plan::tokens_at(p.schedule, stage.model, step - 1);
      tokens += of_step;
      CHECK(plan::last_due(p.evaluate_every, sums, stage.first_step, step, tokens) ==
            last_in_stage);
      const bool now = plan::is_due(p.evaluate_every, step, tokens, of_step);
      CHECK(now == (tokens / 10000 > last));
      last = tokens / 10000;
      due += now;
      if (now) last_in_stage = step;
    }
  }
  CHECK(tokens == p.tokens);
  CHECK(due == p.tokens / 10000);
  CHECK(plan::is_due({.steps = 10}, 20, 0, 0));
  CHECK_FALSE(plan::is_due({.steps = 10}, 21, 0, 0));
  CHECK_FALSE(plan::is_due({}, 20, 20, 20));
}
