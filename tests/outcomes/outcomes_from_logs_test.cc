// Tests of outcomes/outcomes_from_logs.h on made logs whose truth is known.
#include "outcomes/outcomes_from_logs.h"

#include <algorithm>
#include <cmath>

#include "arch/cost.h"
#include "base/rng.h"
#include "support/catch.h"
#include "support/text_file.h"
#include "text/text.h"

using namespace stagedtrain;
using runlog::Run;

namespace {

constexpr double kTokens = 2048, kWarmup = 20;

arch::ModelConfig model(std::int64_t layers) {
  return arch::resolved({.layers = layers, .width = 128, .heads = 4, .vocab = 256, .context = 128});
}
// Of a size from scratch after x steps at the peak.
double loss_of(std::int64_t layers, double x) {
  const double small = static_cast<double>(6 - layers) / 4;  // 1 for two layers
  return 1.3 + 0.3 * small + (10 - small) * std::pow(x, -0.45);
}

double rate_at(double step, double total) {
  if (step < kWarmup) return step / kWarmup;
  return step <= 0.8 * total ? 1 : 1e-3 + (total - step) / (0.2 * total);
}

struct Made {
  std::int64_t layers;
  double steps, rho = 1;  // of the growth into it
};

// Stages that log every 5 steps; a grown one stands where its size from scratch was after 1/rho of
// the steps that the one before stood at. The decay of the last stage takes 0.1 nats.
Run made(const std::vector<Made>& stages) {
  Run run;
  run.name = "made";
  run.role = stages.size() > 1 ? "staged" : "scratch";
  run.device = "cpu";
  run.threads = 2;
  double total = 0, step = 0, stand = -kWarmup / 2;
  for (const Made& stage : stages) total += stage.steps;
  for (const Made& stage : stages) {
    const bool grown = step > 0;
    const std::string name = fmt::format("{} layers", stage.layers);
    if (grown) {
      run.growths.push_back({{step, step * kTokens, 0, 0}, name, "depth", "a", "b"});
      stand /= stage.rho;
    }
    run.stages.push_back({.name = name,
                          .grow = grown ? "depth" : "",
                          .model = model(stage.layers),
                          .params = 2e5 * static_cast<double>(stage.layers),
                          .steps = stage.steps});
    for (const double end = step + stage.steps; step < end;) {
      step += 5, stand += 5;
      const double decay = std::max(0.0, (step - 0.8 * total) / (0.2 * total));
      run.steps.push_back(
          {{step, step * kTokens, step * 1e9, step * 0.005 * static_cast<double>(stage.layers)},
           name,
           loss_of(stage.layers, std::max(1.0, stand)) - 0.1 * decay,
           1,
           rate_at(step, total) * 3e-3});
    }
  }
  run.final_model = run.stages.back().model;
  run.end = runlog::RunEnd{run.steps.back().at, 1.5, 0.01, 2, true};
  return run;
}
// Two layers, then six.
Run made(double small_steps, double total, double rho) {
  if (small_steps == 0) return made({{6, total}});
  return made({{2, small_steps}, {6, total - small_steps, rho}});
}

}  // namespace

TEST_CASE("rho is found by matching the grown run with the run from scratch") {
  const double rho = GENERATE(1.0, 1.6, 2.5);
  const Run staged = made(1000, 3000, rho), scratch = made(0, 3000, 1);
  const auto outcomes = plan::growths_of(staged, {&scratch});
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].rho == Approx(rho).epsilon(0.03));
  CHECK(outcomes[0].rho_low <= outcomes[0].rho * 1.001);
  CHECK(outcomes[0].rho_high >= outcomes[0].rho * 0.999);
  CHECK(outcomes[0].tokens_before == 1000 * kTokens);
  CHECK(outcomes[0].stage == "6 layers");
}

TEST_CASE(
    "each growth of a growth path has its own rho, where the sizes between are known from "
    "scratch") {
  const Run staged = made({{2, 1000}, {4, 800, 1.4}, {6, 2200, 2}});
  const Run middle = made({{4, 2500}}), last = made({{6, 4000}});
  const auto outcomes = plan::growths_of(staged, {&last, &middle});
  REQUIRE(outcomes.size() == 2);
  CHECK(outcomes[0].rho == Approx(1.4).epsilon(0.04));
  CHECK(outcomes[1].rho == Approx(2).epsilon(0.04));
  CHECK(outcomes[1].rho_low <= outcomes[1].rho * 1.001);
  CHECK(outcomes[1].tokens_before == Approx(((1000 - 10) / 1.4 + 800) * kTokens).epsilon(0.04));
  SECTION("without the size between neither is known, but the decay is") {
    const auto less = plan::growths_of(staged, {&last});
    CHECK(std::isnan(less[0].rho));
    CHECK(std::isnan(less[1].rho));
    CHECK(std::isfinite(less[1].decay_drop));
  }
  SECTION("a run that goes on from another's weights is not taken for one from scratch") {
    Run later = middle;
    for (runlog::StepPoint& point : later.steps) point.at.step += 1000;
    CHECK(std::isnan(plan::growths_of(staged, {&last, &later})[0].rho));
  }
}

TEST_CASE("a growth that mixes at once is seen to, one that does not is not") {
  const Run scratch = made(0, 3000, 1);
  const double at_once = plan::growths_of(made(1000, 3000, 1), {&scratch})[0].mixing_tokens;
  CHECK(at_once < 60 * kTokens);
  CHECK(std::isnan(plan::growths_of(made(1000, 3000, 3), {&scratch})[0].mixing_tokens));
}

TEST_CASE("the decay's drop needs no run from scratch") {
  const auto outcomes = plan::growths_of(made(1000, 3000, 1.5));
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].decay_drop == Approx(0.0975).margin(0.01));  // the last twentieth, not the end
  CHECK(std::isnan(outcomes[0].rho));
  const auto messages = plan::messages_of(outcomes);
  REQUIRE(messages.size() == 2);
  CHECK(messages[0].starts_with("the decay gained 0."));
  CHECK(test::contains(messages[1], "no run of this size from scratch was named"));
}

TEST_CASE("a log tells the seconds of a token, stage by stage") {
  const Run staged = made(1000, 3000, 1);
  plan::RunPlan run;
  run.schedule.batch.sequences = 16;
  for (const runlog::LoggedStage& stage : staged.stages) {
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

TEST_CASE("losses that show no floor yet still tell where a grown model stands") {
  // A pure power law of 2,500 steps: no floor is found, and none is needed within the log.
  const CounterRng rng(8, 0);
  Run staged = made(600, 2500, 1.3), scratch = made(0, 2500, 1);
  for (Run* run : {&staged, &scratch})
    for (runlog::StepPoint& point : run->steps) {
      const bool grown = run == &staged && point.stage == "6 layers";
      const double x = point.at.step - 10 - (grown ? 590 - 590 / 1.3 : 0);
      const auto step = static_cast<std::uint64_t>(point.at.step);
      point.loss = 20 * std::pow(std::max(x, 1.0), -0.3) + 0.03 * rng.normal(step);
    }
  const auto outcomes = plan::growths_of(staged, {&scratch});
  INFO(join(plan::messages_of(outcomes), "\n"));
  CHECK(outcomes[0].rho == Approx(1.3).epsilon(0.05));
}

TEST_CASE("a log too short for a fit gives no outcome, and says why") {
  const Run staged = made(30, 60, 1), scratch = made(0, 60, 1);
  const auto outcomes = plan::growths_of(staged, {&scratch});
  REQUIRE(outcomes.size() == 1);
  CHECK(std::isnan(outcomes[0].rho));
  const auto messages = plan::messages_of(outcomes);
  REQUIRE(messages.size() >= 1);
  for (const std::string& line : messages) CHECK(test::contains(line, "not stored: "));
}

TEST_CASE("an outcome that is not stored is reported with its reason") {
  const Run staged = made(1000, 3000, 1.5);
  const auto why = [&](const Run& scratch) {
    return join(plan::messages_of(plan::growths_of(staged, {&scratch})), "\n");
  };
  Run other = made(0, 3000, 1);
  other.train_fingerprint = "else";
  CHECK(test::contains(why(other), "saw other data or another order"));
  Run rate = made(0, 3000, 1);
  for (runlog::StepPoint& point : rate.steps) point.lr *= 2;
  CHECK(test::contains(why(rate), "another peak learning rate"));
  Run later = made(0, 3000, 1);
  std::erase_if(later.steps, [](const runlog::StepPoint& p) { return p.at.step < 900; });
  CHECK(test::contains(why(later), "continues another run"));
  CHECK(test::contains(why(made(0, 1200, 1)), "from scratch is at its peak to step 9"));
}

TEST_CASE("noise of batches that both runs saw does not blur rho") {
  const CounterRng rng(5, 0);
  Run staged = made(1000, 3000, 1.4), scratch = made(0, 3000, 1);
  for (Run* run : {&staged, &scratch})
    for (runlog::StepPoint& point : run->steps) {
      const auto step = static_cast<std::uint64_t>(point.at.step);
      const std::uint64_t own = run == &staged ? 1u << 20 : 1u << 21;
      point.loss += 0.05 * rng.normal(step) + 0.005 * rng.normal(step + own);
    }
  const auto outcomes = plan::growths_of(staged, {&scratch});
  REQUIRE(outcomes.size() == 1);
  INFO(join(plan::messages_of(outcomes), "\n"));
  CHECK(outcomes[0].rho == Approx(1.4).epsilon(0.08));
  CHECK(outcomes[0].rho_low > 1.2);
  CHECK(outcomes[0].rho_high < 1.7);
  CHECK(outcomes[0].rho_low <= 1.42);
  CHECK(outcomes[0].rho_high >= 1.38);
  CHECK(std::isnan(outcomes[0].mixing_tokens));
  CHECK(test::contains(join(plan::messages_of(outcomes), "\n"), "not mixed within"));
  SECTION("validation losses that contradict it keep it from being stored") {
    for (double at = 1100; at < 2400; at += 100) {
      staged.evaluations.push_back({.at = {.step = at}, .loss = 3});
      scratch.evaluations.push_back({.at = {.step = at}, .loss = 2.5});
    }
    const auto doubted = plan::growths_of(staged, {&scratch});
    CHECK(std::isnan(doubted[0].rho));
    CHECK(test::contains(join(plan::messages_of(doubted), "\n"), "they must agree"));
  }
}

TEST_CASE(
    "a decay after too few steps at the peak has no drop, unless a run at the peak shows it") {
  // The grown model trains 150 steps before its decay: its own curve bears no forecast.
  const CounterRng rng(6, 0);
  const auto noisy = [&](Run run) {
    for (runlog::StepPoint& point : run.steps)
      point.loss += 0.05 * rng.normal(static_cast<std::uint64_t>(point.at.step));
    return run;
  };
  const Run staged = noisy(made(1850, 2500, 1)), longer = noisy(made(0, 4000, 1));
  const auto alone = plan::growths_of(staged);
  CHECK(std::isnan(alone[0].decay_drop));
  CHECK(test::contains(join(plan::messages_of(alone), "\n"), "decay: "));
  const auto paired = plan::growths_of(staged, {&longer});
  CHECK(paired[0].decay_drop == Approx(0.0975).margin(0.01));
}
