// Tests of lengths/slope_watch.h: when a stage's curve is flat enough, and that a resumed watch
// agrees.
#include "lengths/slope_watch.h"

#include <cmath>

#include "base/rng.h"
#include "support/catch.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using plan::SlopeWatch;

namespace {

// 2 + 8 (x + 20)^-0.4 with noise, logged every 5 steps; the slope is known.
scaling::LoggedStep logged(int step, double noise) {
  const CounterRng rng(3, 1);
  const double loss = 2 + 8 * std::pow(step + 20.0, -0.4);
  return {step * 1.0, 1e-3, loss * (1 + noise * rng.normal(static_cast<std::uint64_t>(step)))};
}
double true_slope(double step) {
  const double power = 8 * std::pow(step + 20, -0.4);
  return -0.4 * power / (2 + power);
}

// The step at which a watch fires that begins after `stop` steps; 0 if never.
double fires_at(double threshold, double noise, int stop = 0) {
  plan::LoggedCurve log{.name = "stage"};
  for (int step = 5; step <= stop; step += 5) log.steps.push_back(logged(step, noise));
  SlopeWatch watch(threshold, log, (std::max(stop, 1) - 1) / 100 * 100);
  for (int step = stop; step <= 6000; step += 5) {
    if (step > stop) watch.add(logged(step, noise));
    if (step == 0 || step % 100 != 0) continue;
    if (const auto decision = watch.check()) return decision->now.step;
  }
  return 0;
}

}  // namespace

TEST_CASE("a watch fires at the second check in a row after the slope was reached") {
  const double step = fires_at(-0.1, 1e-6);
  CHECK(true_slope(step - 200) < -0.1);
  CHECK(true_slope(step - 100) >= -0.1);
}

TEST_CASE("noise moves the step by little, and a reading tells its interval") {
  const double exact = fires_at(-0.08, 1e-6), noisy = fires_at(-0.08, 0.005);
  CHECK(noisy > 0.7 * exact);
  CHECK(noisy < 1.4 * exact);
  plan::LoggedCurve curve{.name = "stage"};
  for (int step = 5; step <= 3000; step += 5) curve.steps.push_back(logged(step, 0.005));
  const auto reading = plan::read_slope(curve);
  REQUIRE(reading);
  CHECK(reading->low < reading->high);
  CHECK(reading->slope == Approx(true_slope(3000)).epsilon(0.1));
}

TEST_CASE("stopped at any step and resumed, a watch fires at the same step") {
  const double whole = fires_at(-0.09, 0.005);
  REQUIRE(whole > 300);
  const int last = static_cast<int>(whole);
  for (const int stop : {5, 100, last - 205, last - 200, last - 105, last - 100, last - 5, last})
    CHECK(fires_at(-0.09, 0.005, stop) == whole);
}

TEST_CASE("a log without a fit is no hit, nor is a fit that does not know where it is") {
  CHECK_FALSE(plan::read_slope({.name = "empty"}).has_value());
  CHECK_FALSE(plan::is_hit({}, -0.1));
  plan::SlopeReading reading{.slope = -0.05, .low = -0.06, .high = -0.04};
  CHECK(plan::is_hit(reading, -0.1));
  reading.low = -0.2;
  CHECK_FALSE(plan::is_hit(reading, -0.1));
  reading = {.slope = -0.11, .low = -0.12, .high = -0.10};
  CHECK_FALSE(plan::is_hit(reading, -0.1));
}

TEST_CASE("the log's part of a stage is read up to a step") {
  const test::TempDir dir;
  std::string log = R"({"event":"start","role":"staged","stages":[]})"
                    "\n";
  for (int step = 1; step <= 20; ++step)
    log += fmt::format(R"({{"event":"step","stage":"{}","step":{},"loss":{},"lr":0.001}})"
                       "\n",
                       step <= 8 ? "a" : "b", step, 5 - 0.1 * step);
  test::write_text(dir / "run.jsonl", log);
  const plan::LoggedCurve curve = plan::curve_so_far(dir / "run.jsonl", "b", 8, 15);
  REQUIRE(curve.steps.size() == 7);
  CHECK(curve.steps[0].step == 9);
  CHECK(curve.steps[6].loss == 3.5);
  CHECK(curve.begin == 8);
}
