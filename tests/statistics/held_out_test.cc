// Laws of smaller sizes against the larger ones, and what intervals hold when the law is not right.
#include "statistics/held_out.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "base/error.h"
#include "statistics/bootstrap.h"
#include "support/catch.h"
#include "support/joint_simulation.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;
using test::JointSimulation;

namespace {

// How the truth differs from the law that is fitted.
enum class Truth { law, bends, sizes_differ, digitised };
constexpr const char* kTruths[] = {"the law is right", "it bends with size", "each size is off",
                                   "read off a picture"};

// What the truth is times the law, for a size u = ln(N / smallest): a bend of .3% for each unit squared,
// as many up as down; or .4% for each size.
double off_law(Truth truth, double u, const CounterRng& rng) {
  if (truth == Truth::bends) return std::exp(.003 * rng.normal(1) * u * u);
  if (truth == Truth::sizes_differ)
    return std::exp(.004 * rng.normal(100 + static_cast<std::uint64_t>(std::lround(1000 * u))));
  return 1;
}

// Runs over a factor of 16 in size, 10 to 40 tokens for each parameter, noise .3%; read off a picture:
// sizes off by 3%, and one run in 20 by ten times the noise. The last one has four times the largest size.
std::vector<RunPoint> made_points(int runs, Truth truth, std::uint64_t seed) {
  const CounterRng rng(21, seed), draws(22, seed);
  const Chinchilla law{1.5 + rng.uniform(0), 300 + 300 * rng.uniform(1), 400 + 1600 * rng.uniform(2),
                       .3 + .08 * rng.uniform(3), .28 + .1 * rng.uniform(4)};
  const int sizes = std::clamp(runs / 3, 3, 12);
  std::vector<RunPoint> points;
  for (int i = 0; i <= runs; ++i) {
    const bool target = i == runs;
    const double u = target ? std::log(64) : std::log(16) * (i % sizes) / (sizes - 1);
    const double parameters = 5e7 * std::exp(u), tokens = parameters * 10 * (1 << (i / sizes) % 3);
    const auto k = static_cast<std::uint64_t>(i);
    const bool picture = truth == Truth::digitised && !target;
    const double noise = picture && draws.uniform(5000 + k) < .05 ? .03 : .003;
    points.push_back({parameters * (picture ? std::exp(.03 * draws.normal(9000 + k)) : 1), tokens,
                      law.loss(parameters, tokens) * off_law(truth, u, rng) *
                          std::exp(noise * draws.normal(k))});
  }
  return points;
}

struct Held {
  bool with_tilts, without;
};

// Whether 80% intervals hold the loss: of samples, and of one run's scatter (half of it).
template <class LossOf>
Held held(std::size_t samples, const LossOf& loss_of, std::span<const double> tilts, double distance,
          double best, double scatter, double loss) {
  const auto holds = [&](bool tilted) {
    std::vector<double> losses;
    for (std::size_t i = 0; i < samples; ++i)
      losses.push_back(loss_of(i) * std::exp(tilted ? tilts[i] * distance : 0));
    const Interval of_law = interval(std::move(losses));
    return best - std::hypot(best - of_law.low, scatter) <= loss &&
           loss <= best + std::hypot(of_law.high - best, scatter);
  };
  return {holds(true), holds(false)};
}

Held chinchilla_held(int runs, Truth truth, std::uint64_t seed) {
  std::vector<RunPoint> points = made_points(runs, truth, seed);
  const RunPoint target = points.back();
  points.pop_back();
  double largest = 0;
  for (const RunPoint& p : points) largest = std::max(largest, p.parameters);
  const ChinchillaFit fit = fit_chinchilla(points, 0);
  const auto samples = bootstrap_chinchilla(points, fit, {.resamples = 60});
  const auto tilts = tilt_draws(held_out_tilts(points, 0, 1), samples.size(), 1);
  const auto loss_of = [&](std::size_t i) {
    return samples[i].loss(target.parameters, target.tokens);
  };
  const double best = fit.law.loss(target.parameters, target.tokens);
  return held(samples.size(), loss_of, tilts, std::log(target.parameters / largest), best,
              1.2816 * student_widening(runs - 5) * fit.noise * best, target.loss);
}

Held joint_held(int sizes, int runs_of_each, Truth truth, std::uint64_t seed) {
  JointSimulation made(sizes, runs_of_each, .0025, seed);
  const CounterRng rng(23, seed);
  const auto off = [&](double parameters) { return off_law(truth, std::log(parameters / 4e5), rng); };
  for (JointRun& run : made.runs)
    for (JointPoint& p : run.points) p.loss *= off(run.parameters);
  const JointFit fit = fit_joint(made.runs, {.resamples = 60});
  const auto tilts = tilt_draws(held_out_tilts(made.runs, {}), fit.samples.size(), 1);
  const auto loss_of = [&](std::size_t i) {
    return fit.samples[i].loss(made.parameters, made.tokens, made.area);
  };
  const double best = fit.law.loss(made.parameters, made.tokens, made.area);
  return held(fit.samples.size(), loss_of, tilts, std::log(4), best,
              1.2816 * student_widening(fit.freedom) * fit.scatter * best,
              made.loss * off(made.parameters));
}

constexpr int kSets = 50;

template <class HeldOf>
void print_coverage(const char* what, Truth truth, const HeldOf& held_of) {
  int with_tilts = 0, without = 0;
  for (std::uint64_t seed = 0; seed < kSets; ++seed) {
    const Held now = held_of(seed);
    with_tilts += now.with_tilts;
    without += now.without;
  }
  std::printf("%s, %s: %d%% of %d held, %d%% without tilts\n", what, kTruths[static_cast<int>(truth)],
              100 * with_tilts / kSets, kSets, 100 * without / kSets);
  std::fflush(stdout);
}

}  // namespace

TEST_CASE("laws of smaller sizes find a bend, and none where there is none") {
  const auto most = [](Truth truth) {
    double z = 0;
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      std::vector<RunPoint> points = made_points(60, truth, seed);
      points.pop_back();
      if (truth == Truth::bends)
        for (RunPoint& p : points) p.loss *= std::exp(.01 * std::pow(std::log(p.parameters / 5e7), 2));
      const auto tilts = held_out_tilts(points, 0, 1);
      CHECK(tilts.size() >= 3);
      for (const Tilt& tilt : tilts) z = std::max(z, std::fabs(tilt.value / tilt.error));
    }
    return z;
  };
  CHECK(most(Truth::law) < 4);
  CHECK(most(Truth::bends) > 6);
}

TEST_CASE("too few runs hold nothing out") {
  std::vector<RunPoint> points = made_points(6, Truth::law, 1);
  points.pop_back();
  CHECK(held_out_tilts(points, 0, 1).empty());
  CHECK(held_out_tilts(JointSimulation(2, 2, .0025, 1).runs, {}).empty());
  CHECK(held_out_tilts(JointSimulation(3, 1, .0025, 1).runs, {}).size() == 1);
}

TEST_CASE("80% intervals hold a size four times the largest where the law bends") {
  int with_tilts = 0, without = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const Held now = chinchilla_held(24, Truth::bends, seed);
    with_tilts += now.with_tilts;
    without += now.without;
  }
  CHECK(with_tilts >= 21);  // 70%
  CHECK(without < with_tilts);
}

// The tables of docs/planning.md take minutes, so they are made only if this variable is set.
bool tables_wanted() { return std::getenv("STAGEDTRAIN_COVERAGE") != nullptr; }

TEST_CASE("what 80% intervals of Chinchilla's law hold, by runs and truth", "[coverage]") {
  if (!tables_wanted()) return;
  for (const Truth truth : {Truth::law, Truth::bends, Truth::sizes_differ, Truth::digitised})
    for (const int runs : {6, 9, 12, 24, 60})
      print_coverage(fmt::format("Chinchilla, {} runs", runs).c_str(), truth,
                     [&](std::uint64_t seed) { return chinchilla_held(runs, truth, seed); });
}

TEST_CASE("what 80% intervals of the joint law hold, by runs and truth", "[coverage]") {
  if (!tables_wanted()) return;
  for (const Truth truth : {Truth::law, Truth::bends, Truth::sizes_differ})
    for (const auto& [sizes, runs] : {std::pair{2, 1}, {3, 1}, {3, 2}, {3, 4}, {4, 2}, {4, 4}})
      print_coverage(fmt::format("joint law, {} sizes x {} runs", sizes, runs).c_str(), truth,
                     [&](std::uint64_t seed) { return joint_held(sizes, runs, truth, seed); });
}
