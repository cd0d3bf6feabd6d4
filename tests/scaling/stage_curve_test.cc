// Curves of one stage: over tokens, their inverse, and what the rate spent.
#include "scaling/stage_curve.h"

#include "support/catch.h"
#include "support/errors.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;

TEST_CASE("a stage's curve over tokens is the one over steps, stretched") {
  const StageCurve stage{2.5, 30, 0.45, -120};
  const PowerCurve curve = stage.curve(4096);
  for (double x : {200.0, 5e3, 1e6}) {
    CHECK(curve.loss(4096 * x) == Approx(stage.loss(x)).epsilon(1e-13));
    CHECK(curve.tokens(stage.loss(x)) == Approx(4096 * x).epsilon(1e-10));
    const double loss = stage.loss(x), h = 1e-5 * (loss - stage.E);
    CHECK(curve.tokens_slope(loss) ==
          Approx((curve.tokens(loss + h) - curve.tokens(loss - h)) / (2 * h)).epsilon(1e-6));
  }
}

TEST_CASE("warm-up has no loss yet, a head start has its first loss at no tokens") {
  const PowerCurve late(2, 1, 0.5, -100);
  CHECK(late.loss(99) == kInfinity);
  CHECK(late.start() == kInfinity);
  CHECK(late.tokens(kInfinity) == 100);
  const PowerCurve early(2, 1, 0.5, 100);
  CHECK(early.start() == Approx(2.1));
  CHECK(early.tokens(3) == 0);
  CHECK(early.tokens(2) == kInfinity);
}

TEST_CASE("the abscissa is the rate spent, in peaks") {
  const std::vector<double> spent = learning_spent(std::vector<double>{0.1, 0.2, 0.2, 0.1}, 0.2);
  CHECK(spent == std::vector<double>{0.5, 1.5, 2.5, 3.0});
}

TEST_CASE("a curve that does not fall is refused") {
  CHECK(test::refusal(ErrorKind::usage, [] { PowerCurve(2, -1, 0.5); }) ==
        "loss curve 2 + -1 (x + 0)^-0.5, expected finite numbers, the scale and the exponent above "
        "0 | ");
  CHECK_THROWS_AS(PowerCurve(2, 1, 0), Error);
  CHECK_THROWS_AS(PowerCurve(kInfinity, 1, 1), Error);
}
