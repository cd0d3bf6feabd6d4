// Tests of plan/learn.h on made logs whose truth is known.
#include "plan/learn.h"

#include <algorithm>
#include <cmath>

#include "arch/cost.h"
#include "support/catch.h"

using namespace stagedtrain;
using runlog::Run;

namespace {

constexpr double kTokens = 2048, kWarmup = 20;

arch::ModelConfig model(std::int64_t layers) {
  return arch::resolved({.layers = layers, .width = 128, .heads = 4, .vocab = 256, .context = 128});
}
double small_loss(double x) { return 1.6 + 9 * std::pow(x, -0.45); }
double large_loss(double x) { return 1.3 + 10 * std::pow(x, -0.45); }

double rate_at(double step, double total) {
  if (step < kWarmup) return step / kWarmup;
  return step <= 0.8 * total ? 1 : 1e-3 + (total - step) / (0.2 * total);
}

// Stages that log every 5 steps; a grown one stands where scratch was after (before / rho) steps at
// the peak. The decay takes 0.1 nats.
Run made(double small_steps, double total, double rho) {
  Run run;
  run.name = "made";
  run.role = small_steps > 0 ? "staged" : "scratch";
  run.device = "cpu";
  run.threads = 2;
  if (small_steps > 0)
    run.stages.push_back({.name = "small", .model = model(2), .params = 4e5, .steps = small_steps});
  run.stages.push_back({.name = "full",
                        .grow = "depth",
                        .model = model(6),
                        .params = 1.2e6,
                        .steps = total - small_steps});
  for (double step = 5; step <= total; step += 5) {
    const bool small = step <= small_steps;
    const double x = std::max(1.0, step - kWarmup / 2), before = small_steps - kWarmup / 2;
    const double decay = std::max(0.0, (step - 0.8 * total) / (0.2 * total));
    const double loss = small             ? small_loss(x)
                        : small_steps > 0 ? large_loss(x - before + before / rho)
                                          : large_loss(x);
    run.steps.push_back({{step, step * kTokens, step * 1e9, step * (small ? 0.01 : 0.03)},
                         small ? "small" : "full",
                         loss - 0.1 * decay,
                         1,
                         rate_at(step, total) * 3e-3});
  }
  if (small_steps > 0)
    run.growths.push_back({{small_steps, small_steps * kTokens, 0, 0}, "full", "depth", "a", "b"});
  run.end = runlog::RunEnd{run.steps.back().at, 1.5, 0.01, 2, true};
  return run;
}

}  // namespace

TEST_CASE("rho is found by matching the grown run with the run from scratch") {
  const double rho = GENERATE(1.0, 1.6, 2.5);
  const Run staged = made(1000, 3000, rho), scratch = made(0, 3000, 1);
  const auto learned = plan::growths_of(staged, &scratch);
  REQUIRE(learned.size() == 1);
  CHECK(learned[0].rho == Approx(rho).epsilon(0.03));
  CHECK(learned[0].rho_low <= learned[0].rho * 1.001);
  CHECK(learned[0].rho_high >= learned[0].rho * 0.999);
  CHECK(learned[0].tokens_before == 1000 * kTokens);
  CHECK(learned[0].stage == "full");
}

TEST_CASE("a growth that mixes at once is seen to, one that does not is not") {
  const Run scratch = made(0, 3000, 1);
  const double at_once = plan::growths_of(made(1000, 3000, 1), &scratch)[0].mixing_tokens;
  CHECK(at_once < 60 * kTokens);
  CHECK(std::isnan(plan::growths_of(made(1000, 3000, 3), &scratch)[0].mixing_tokens));
}

TEST_CASE("the decay's drop needs no run from scratch") {
  const auto learned = plan::growths_of(made(1000, 3000, 1.5), nullptr);
  REQUIRE(learned.size() == 1);
  CHECK(learned[0].decay_drop == Approx(0.0975).margin(0.01));  // the last twentieth, not the end
  CHECK(std::isnan(learned[0].rho));
  const auto words = plan::words_of(learned);
  REQUIRE(words.size() == 1);
  CHECK(words[0].starts_with("the decay gained 0."));
}

TEST_CASE("a log tells the seconds of a token, stage by stage") {
  const Run staged = made(1000, 3000, 1);
  plan::RunPlan run;
  run.schedule.batch.sequences = 16;
  for (const runlog::Stage& stage : staged.stages) {
    plan::StagePlan planned;
    planned.name = stage.name;
    planned.model = stage.model;
    run.stages.push_back(planned);
  }
  const auto speeds = plan::speeds_of(run, staged);
  REQUIRE(speeds.size() == 2);
  CHECK(speeds[0].seconds_per_token == Approx(0.01 / kTokens));
  CHECK(speeds[1].seconds_per_token == Approx(0.03 / kTokens));
  CHECK(speeds[1].key.threads == 2);
  CHECK(speeds[1].key.model == model(6));
  CHECK(speeds[1].source == "made");
}

TEST_CASE("a log too short for a fit teaches nothing, and says so by silence") {
  const Run staged = made(30, 60, 1), scratch = made(0, 60, 1);
  const auto learned = plan::growths_of(staged, &scratch);
  REQUIRE(learned.size() == 1);
  CHECK(plan::words_of(learned).empty());
}
