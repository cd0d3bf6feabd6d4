// What the joint law is fitted to: which logs are one run, and which losses are left out.
#include "fit/joint_runs.h"

#include <algorithm>

#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

// Loss 3 - step / 10^4, a warm-up of 20 steps, and a straight decay from this step on.
LoggedCurve log_of(const std::string& name, int steps, int decays_from, double shift = 0) {
  LoggedCurve curve;
  curve.name = name;
  curve.parameters = 2e6;
  curve.non_embedding = 1e6;
  curve.tokens_per_step = 100;
  for (int s = 10; s <= steps; s += 10) {
    const double decay = s <= decays_from ? 1 : double(steps - s + 1) / (steps - decays_from + 1);
    curve.steps.push_back({1.0 * s, std::min({1.0, s / 20.0, decay}), 3 + shift - 1e-4 * s});
  }
  return curve;
}

}  // namespace

TEST_CASE("a branch is the run that it left, and shared steps count once") {
  const LoggedCurve trunk = log_of("trunk", 1000, 800);
  LoggedCurve branch = log_of("branch", 600, 500);
  for (scaling::LoggedStep& step : branch.steps)
    if (step.step > 500) step.loss -= .05;  // its own decay
  const JointRuns found = joint_runs({trunk, branch, log_of("other seed", 1000, 800, .01)});
  REQUIRE(found.runs.size() == 2);
  CHECK(found.names[0] == "trunk, branch");
  CHECK(found.runs[0].parameters == 1e6);  // without embeddings
  const std::size_t alone = joint_runs({trunk}).runs[0].points.size();
  CHECK(found.runs[0].points.size() == alone + 10);
  CHECK(found.most_tokens[0] == 100'000);
  CHECK(found.warmup_tokens == 2000);
}

TEST_CASE("points say the learning spent and the annealing area, from a tenth of the run on") {
  LoggedCurve curve = log_of("run", 400, 300);
  curve.validations = {{40, 0, 9}, {200, 0, 2.9}, {400, 0, 2.8}, {500, 0, 7}};
  const JointRuns found = joint_runs({curve});
  const std::vector<scaling::JointPoint>& points = found.runs.at(0).points;
  CHECK(points[0].x == Approx(100 * (50 - 9.5)).epsilon(.01));  // half of the warm-up
  CHECK(points[0].area == 0);
  REQUIRE(std::ranges::count(points, false, &scaling::JointPoint::training) == 2);
  const scaling::JointPoint &middle = points[points.size() - 2], &end = points.back();
  CHECK(middle.loss == 2.9);
  CHECK(middle.x == Approx(100 * (200 - 9.5)).epsilon(.01));
  CHECK(middle.area == 0);
  CHECK(end.loss == 2.8);
  CHECK(end.x < 100 * 355);
  const std::vector<double> areas = scaling::annealing_areas(scaling::rates_of(curve.steps, 0));
  CHECK(end.area == areas[400 - 1]);
  CHECK(end.area > 0);
}

TEST_CASE("a logged mean over several steps stands at their middle in the joint fit, too") {
  LoggedCurve singles = log_of("singles", 400, 300), means = singles;
  for (scaling::LoggedStep& step : means.steps) step.steps = 9;
  const auto first_of = [](const LoggedCurve& curve) {
    return joint_runs({curve}).runs.at(0).points.at(0);
  };
  CHECK(first_of(means).x == Approx(first_of(singles).x - 4 * 100));
}

TEST_CASE("logs that are no run of a known size are left out, with the reason") {
  LoggedCurve grown = log_of("grown", 400, 300), unknown = log_of("unknown", 400, 300),
              tokens = log_of("tokens", 400, 300);
  grown.begin = 5;
  unknown.non_embedding = runlog::kUnknown;
  tokens.tokens_per_step = runlog::kUnknown;
  const JointRuns found = joint_runs({grown, unknown, tokens});
  CHECK(found.runs.empty());
  REQUIRE(found.left_out.size() == 3);
  CHECK(contains(found.left_out[0], "grown: it was grown from a smaller model"));
  CHECK(contains(found.left_out[1], "unknown: its number of parameters is not known"));
  CHECK(contains(found.left_out[2], "tokens: its tokens per step are not known"));
}
