// The joint fit: a law comes back from its own runs, and intervals hold what they say.
#include "statistics/fit_joint.h"

#include <cstdio>

#include "statistics/bootstrap.h"
#include "support/catch.h"
#include "support/joint_simulation.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;
using test::JointSimulation;

namespace {

// Whether an 80% interval of the one run that was not trained holds its loss.
bool held(const JointSimulation& made, const JointFit& fit) {
  std::vector<double> losses;
  for (const JointLaw& sample : fit.samples)
    losses.push_back(sample.loss(made.parameters, made.tokens, made.area));
  const double best = fit.law.loss(made.parameters, made.tokens, made.area);
  const double scatter = 1.2816 * student_widening(fit.freedom) * fit.scatter * best;
  const Interval of_law = interval(std::move(losses));
  const double low = best - std::hypot(best - of_law.low, scatter);
  const double high = best + std::hypot(of_law.high - best, scatter);
  return low <= made.loss && made.loss <= high;
}

// The share of sets whose interval holds the loss.
double coverage(int sizes, int runs_of_each, double seed_scatter, int sets, int resamples) {
  int found = 0;
  for (int s = 0; s < sets; ++s) {
    const JointSimulation made(sizes, runs_of_each, seed_scatter, static_cast<std::uint64_t>(s));
    found += held(made, fit_joint(made.runs, {.resamples = resamples}));
  }
  const double share = static_cast<double>(found) / sets;
  std::printf("%d sizes, %d runs of each, seeds differ by %.2f%%: %.0f%% of %d held\n", sizes,
              runs_of_each, 100 * seed_scatter, 100 * share, sets);
  return share;
}

}  // namespace

TEST_CASE("a joint law comes back from its runs, and tells a size that was not trained") {
  JointSimulation made(4, 2, 0, 1);
  for (JointRun& run : made.runs)
    for (JointPoint& p : run.points) p.loss = made.law.loss(run.parameters, p.x, p.area);
  const JointFit fit = fit_joint(made.runs, {.resamples = 0});
  CHECK(fit.converged);
  CHECK(fit.decayed);
  CHECK(fit.sizes == 4);
  // The priors pull a little even without noise.
  CHECK(fit.law.a == Approx(made.law.a).epsilon(.1));
  CHECK(fit.law.b == Approx(made.law.b).epsilon(.02));
  CHECK(fit.law.loss(made.parameters, made.tokens, made.area) ==
        Approx(made.law.loss(made.parameters, made.tokens, made.area)).epsilon(.004));
  for (const JointRun& run : made.runs)
    CHECK(fit.law.loss(run.parameters, 6e7, 300) ==
          Approx(made.law.loss(run.parameters, 6e7, 300)).epsilon(1e-3));
}

TEST_CASE("a joint fit is the same to the last bit, and other seeds draw other samples") {
  const JointSimulation made(3, 1, .0025, 5);
  const JointFit one = fit_joint(made.runs, {.resamples = 4}), same = fit_joint(made.runs, {.resamples = 4});
  REQUIRE(one.samples.size() == 4);
  CHECK(one.law.E == same.law.E);
  CHECK(one.samples[3].a == same.samples[3].a);
  CHECK(one.samples[3].a != fit_joint(made.runs, {.resamples = 4, .seed = 2}).samples[3].a);
}

TEST_CASE("a tenth of wild losses hardly moves the joint law") {
  JointSimulation made(3, 2, 0, 3);
  const double before =
      fit_joint(made.runs, {.resamples = 0}).law.loss(made.parameters, made.tokens, made.area);
  for (JointRun& run : made.runs)
    for (std::size_t i = 0; i < run.points.size(); i += 10) run.points[i].loss *= 1.5;
  const double after =
      fit_joint(made.runs, {.resamples = 0}).law.loss(made.parameters, made.tokens, made.area);
  CHECK(after == Approx(before).epsilon(.02));
}

TEST_CASE("training and validation losses that differ by a constant factor fit as one") {
  JointSimulation made(3, 2, 0, 4);
  for (JointRun& run : made.runs)
    for (JointPoint& point : run.points) point.loss *= point.training ? 1.03 : 1;
  const JointFit fit = fit_joint(made.runs, {.resamples = 0});
  CHECK(fit.gap == Approx(std::log(1.03)).margin(.002));
  CHECK(fit.law.loss(1e6, 6e7, 0) == Approx(made.law.loss(1e6, 6e7, 0)).epsilon(.003));
}

TEST_CASE("two sizes leave the exponent to the prior, and the interval shows it") {
  const JointSimulation made(2, 2, .0025, 6);
  const JointFit two = fit_joint(made.runs), four = fit_joint(JointSimulation(4, 2, .0025, 6).runs);
  const auto spread = [](const JointFit& fit) {
    std::vector<double> logs;
    for (const JointLaw& law : fit.samples) logs.push_back(std::log(law.a));
    const Interval found = interval(std::move(logs));
    return (found.high - found.low) / 2 / 1.2816;
  };
  CHECK(spread(two) == Approx(kPriorExponentSpread).epsilon(.25));
  CHECK(spread(four) < .8 * spread(two));
}

TEST_CASE("80% intervals hold one run of a size four times as large") {
  for (const auto& [sizes, runs] : {std::pair{3, 1}, {3, 2}, {4, 1}})
    CHECK(coverage(sizes, runs, .0025, 40, 40) == Approx(.8).margin(.18));
}
