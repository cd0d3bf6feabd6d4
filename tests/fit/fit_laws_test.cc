// Fits to public data (T4 and T13 of planning.md), and what is refused.
#include "fit/fit_laws.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "scaling/annealing.h"
#include "statistics/bootstrap.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/shared_data.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

LoggedCurve made_curve(int steps, int warmup, double end_share = 1) {
  LoggedCurve curve;
  curve.name = "made";
  for (int s = 10; s <= steps; s += 10) {
    const double rate = std::min(1.0, s / (warmup + 1e-9)) * (s > end_share * steps ? 0.5 : 1);
    curve.steps.push_back({s * 1.0, rate, 2 + 20 * std::pow(s + 50, -0.5)});
  }
  return curve;
}

void check_refused(const LoggedCurve& curve, const std::string& says) {
  const std::string message = test::refusal(ErrorKind::input, [&] { fit_logged_curve(curve, {}); });
  INFO(message);
  CHECK(contains(message, says));
}

// Mean measured minus predicted loss around a step.
double error_at(const LoggedCurve& whole, const FittedCurve& fitted, double step) {
  const scaling::CurvePoints points = scaling::near_peak(whole.steps, 0);
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < points.points.size(); ++i) {
    const double at = points.first_step + (points.points[i].x - points.points[0].x);
    if (std::fabs(at - step) > 600) continue;
    sum += fitted.law.loss(points.points[i].x) - points.points[i].loss;
    ++count;
  }
  return sum / count;
}

// Finished runs of three sizes and several lengths by a random law, each off by this much.
struct Simulation {
  scaling::Chinchilla law;
  LoggedEnds ends{"made", {}};
  Simulation(int runs, double noise, std::uint64_t seed) {
    const CounterRng rng(7, seed);
    const auto between = [&](std::uint64_t i, double low, double high) {
      return low + (high - low) * rng.uniform(1000 + i);
    };
    law = {between(0, 1.4, 2), 0, 0, between(1, .25, .45), between(2, .25, .45)};
    law.A = between(3, .3, 1.2) * std::pow(4e6, law.a);
    law.B = between(4, .3, 1.2) * std::pow(1e8, law.b);
    const double lengths = std::max(1, (runs + 2) / 3 - 1);
    for (int i = 0; i < runs; ++i) {
      const double n = 1e6 * std::pow(4.0, i % 3), d = 5 * n * std::pow(8.0, (i / 3) / lengths);
      const auto draw = static_cast<std::uint64_t>(i);
      ends.points.push_back({n, d, law.loss(n, d) * std::exp(noise * rng.normal(draw))});
    }
  }
};

}  // namespace

TEST_CASE("every law that is written can be read, from however few and noisy runs") {
  for (const double noise : {.003, .03}) {
    int held = 0;
    for (std::uint64_t seed = 0; seed < 25; ++seed) {
      const Simulation made(6, noise, seed);
      FittedLaws laws;
      laws.chinchilla = fit_logged_ends(made.ends, {.resamples = 20});
      const FittedLaws again = laws_from_json(to_json(laws), "made.json");
      REQUIRE(again.chinchilla);
      CHECK(again.chinchilla->law.A == laws.chinchilla->law.A);
      CHECK(laws.chinchilla->law.A < 1e20);
      CHECK(*again.chinchilla->noise == *laws.chinchilla->noise);
      held += laws.chinchilla->pulled;
    }
    if (noise > .01) CHECK(held > 0);
  }
  const Simulation wild(6, .1, 3);
  LoggedRuns logged;
  logged.ends = {wild.ends};
  const FittedLaws laws = fit_laws(logged, {.resamples = 20});
  if (laws.chinchilla->pulled) CHECK(contains(laws.notes.at(0), "do not fix Chinchilla's law"));
}

TEST_CASE("80% intervals hold the law in 75 to 85 of 100 fits, at every number of runs") {
  for (const int runs : {6, 8, 9, 12, 20}) {
    int held = 0, all = 0;
    for (std::uint64_t seed = 0; seed < 120; ++seed) {
      const Simulation made(runs, .003, seed);
      const FittedChinchilla fit = fit_logged_ends(made.ends, {.resamples = 60});
      // Within the runs, and at twice the largest size.
      for (const auto& [n, d] : {std::pair{4e6, 6e7}, {3.2e7, 6.4e8}}) {
        std::vector<double> losses;
        for (const scaling::Chinchilla& sample : fit.samples) losses.push_back(sample.loss(n, d));
        const scaling::Interval range = scaling::interval(std::move(losses));
        held += range.low <= made.law.loss(n, d) && made.law.loss(n, d) <= range.high;
        ++all;
      }
    }
    INFO(runs << " runs: " << held << " of " << all);
    CHECK(held >= 0.72 * all);  // 75 to 85% and two standard errors of 240 draws, half dependent
    CHECK(held <= 0.88 * all);
  }
}

TEST_CASE("folders of few finished runs give their curves, and say why there is no law of ends") {
  LoggedRuns logged;
  logged.curves = {made_curve(2000, 100)};
  logged.ends = {{"runs/a", {{1e6, 1e8, 3}}, true}, {"runs/b", {{2e6, 1e8, 2.9}}, true}};
  const FittedLaws laws = fit_laws(logged, {.resamples = 20});
  CHECK(laws.curves.size() == 1);
  CHECK_FALSE(laws.chinchilla);
  CHECK(contains(laws.notes.back(), "no law of finished runs: found 2 runs of 2 sizes"));
  logged.ends[0].of_runs = false;  // a file of finished runs is another matter
  CHECK_THROWS_AS(fit_laws(logged, {.resamples = 20}), Error);
}

TEST_CASE("every curve that is fitted can be used, however much its losses scatter") {
  int fitted = 0, refused = 0;
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const CounterRng rng(seed, 0);
    LoggedCurve curve;
    curve.name = "scattered";
    for (int step = 10; step <= 2000; step += 10) {
      const auto at = static_cast<std::uint64_t>(step);
      const double noise = rng.uniform(at) * static_cast<double>(seed) / 4;
      curve.steps.push_back({1.0 * step, 1e-3, 2 + 4 * std::pow(step, -0.3) + noise});
    }
    try {
      const FittedCurve fit = fit_logged_curve(curve, {.resamples = 40, .seed = seed});
      for (const scaling::StageCurve& sample : fit.samples) CHECK((sample.B > 0 && sample.b > 0));
      ++fitted;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::input);
      ++refused;
    }
  }
  CHECK(fitted > 0);
  CHECK(refused > 0);
}

TEST_CASE("a finished, decayed run shows how much its decay gained") {
  LoggedCurve curve = made_curve(3000, 50);
  for (scaling::LoggedStep& s : curve.steps)
    s.rate = s.step > 2400 ? (3000 - s.step) / 600 : s.rate;
  const std::vector<double> rates = scaling::rates_of(curve.steps, 0);
  const std::vector<double> areas = scaling::annealing_areas(rates),
                            spent = scaling::learning_spent(rates, 1);
  for (scaling::LoggedStep& s : curve.steps) {
    const auto at = static_cast<std::size_t>(s.step) - 1;
    s.loss = 2 + 20 * std::pow(spent[at] + 50, -0.5) - 0.1 * areas[at];
  }
  const FittedCurve fit = fit_logged_curve(curve, {.resamples = 20});
  REQUIRE(fit.annealing);
  CHECK(*fit.annealing == Approx(0.1).epsilon(0.1));
  CHECK_FALSE(fit_logged_curve(made_curve(3000, 50), {.resamples = 20}).annealing);
}

TEST_CASE("validation losses say how far above its training losses a run is judged") {
  LoggedCurve curve = made_curve(3000, 50);
  CHECK_FALSE(fit_logged_curve(curve, {.resamples = 20}).validation_gap);
  const scaling::StageCurve law = fit_logged_curve(curve, {.resamples = 20}).law;
  for (int step = 20; step <= 3000; step += 200)  // the first comes in the warm-up; one is a spike
    curve.validations.push_back({step * 1.0, 0, law.loss(step - 25) + (step == 1020 ? 3 : 0.05)});
  const FittedCurve fit = fit_logged_curve(curve, {.resamples = 20});
  REQUIRE(fit.validation_gap);
  CHECK(*fit.validation_gap == Approx(0.05).margin(1e-4));
  CHECK(fit.law.E == law.E);  // the curve itself is of training losses
}

TEST_CASE("the public Chinchilla points give the five known parameters", "[T4]") {
  const auto path = test::shared_data("scaling/chinchilla_points.csv");
  if (!path) return;
  const FittedLaws laws =
      fit_laws(read_curves({path->string()}), {.drop_highest = 5, .resamples = 20});
  REQUIRE(laws.chinchilla);
  const FittedChinchilla& fit = *laws.chinchilla;
  CHECK(fit.points == 240);
  CHECK(fit.dropped == 5);
  CHECK(fit.law.E == Approx(1.8172181).epsilon(1e-6));
  CHECK(fit.law.A == Approx(477.82587).epsilon(1e-4));
  CHECK(fit.law.B == Approx(2143.4174).epsilon(1e-4));
  CHECK(fit.law.a == Approx(.3473105).epsilon(1e-6));
  CHECK(fit.law.b == Approx(.36717243).epsilon(1e-6));
  CHECK(fit.objective == Approx(.0010182740178).epsilon(1e-10));
  CHECK(fit.agreeing_starts >= 2);
  CHECK(fit.gradient <= 1e-9);
}

TEST_CASE("8,000 steps of a real run predict the loss at 16,000 within 0.01 nats", "[T13]") {
  for (const char* size : {"25", "100", "400"}) {
    const auto path = test::shared_data(fmt::format("scaling/curves_{}/constant_72000.csv", size));
    if (!path) return;
    const LoggedCurve whole = read_curves({path->string()}).curves.at(0);
    LoggedCurve prefix = whole;
    std::erase_if(prefix.steps, [](const scaling::LoggedStep& s) { return s.step > 8000; });
    const FittedCurve fitted = fit_logged_curve(prefix, {.resamples = 20});
    INFO(size);
    CHECK(std::fabs(error_at(whole, fitted, 16000)) < 0.01);
    CHECK(fitted.low.E <= fitted.high.E);
    CHECK(fitted.prefixes.size() == 3);
  }
}

TEST_CASE("logs that are too short are refused, with what to do") {
  check_refused(made_curve(250, 0), "found 25 logged steps near the peak");
  check_refused(made_curve(1000, 500), "found 1000 steps, 500 of them until the learning rate");
  check_refused(made_curve(1000, 20, 0.2), "from where it falls");
}

TEST_CASE("a stage that cannot be fitted is named, and the others are fitted") {
  LoggedRuns logged;
  logged.curves = {made_curve(2000, 100), made_curve(100, 0)};
  const FittedLaws laws = fit_laws(logged, {.resamples = 20});
  CHECK(laws.curves.size() == 1);
  REQUIRE(laws.notes.size() >= 1);
  CHECK(contains(laws.notes.back(), "not fitted: made: found 10 logged steps"));
  for (int i = 0; i < 4; ++i) logged.curves.push_back(made_curve(100, 0));
  const std::vector<std::string> notes = fit_laws(logged, {.resamples = 20}).notes;
  REQUIRE(notes.size() >= 4);
  CHECK(notes.back() == "2 more runs could not be fitted by a curve of their own");
  CHECK(contains(notes[notes.size() - 2], "not fitted: made"));
  logged.curves.erase(logged.curves.begin());
  test::refusal(ErrorKind::input, [&] { fit_laws(logged, {}); });
}

TEST_CASE("a grown stage has its head start as offset") {
  LoggedCurve curve = made_curve(3000, 0);
  for (scaling::LoggedStep& s : curve.steps) {
    s.loss = 2 + 20 * std::pow(s.step + 900, -0.5);
    s.step += 1000;
  }
  curve.begin = 1000;
  const FittedCurve fitted = fit_logged_curve(curve, {.resamples = 20});
  CHECK(fitted.law.x0 == Approx(905).margin(60));
  CHECK(fitted.law.E == Approx(2).epsilon(0.01));
}

TEST_CASE("losses that rise or stay, and rates of 0, are refused with what was found") {
  for (const double per_step : {0.0, 1e-4, 1e-3}) {
    LoggedCurve curve = made_curve(1000, 0);
    for (scaling::LoggedStep& point : curve.steps) point.loss = 3 + per_step * point.step;
    check_refused(curve, "made: the losses do not fall: 3.0");
  }
  LoggedCurve curve = made_curve(1000, 0);
  for (scaling::LoggedStep& point : curve.steps) point.rate = 0;
  check_refused(curve, "made: the learning rate is 0 at every logged step");
}
