// Which points of a log a curve is fitted to, and where they lie.
#include "scaling/curve_points.h"

#include "support/catch.h"

using namespace stagedtrain::scaling;

TEST_CASE("the abscissa is the learning rate spent, warm-up counts half") {
  std::vector<LoggedStep> steps;
  for (int s = 10; s <= 400; s += 10) steps.push_back({s * 1.0, s < 100 ? s * 1e-5 : 1e-3, 3});
  const CurvePoints curve = near_peak(steps, 0);
  CHECK(curve.peak == 1e-3);
  CHECK(curve.warmup == 100);
  CHECK(curve.in_warmup == 9);
  CHECK(curve.first_step == 100);
  CHECK(curve.points.front().x == Approx(50));
  CHECK(curve.points.back().x == Approx(350));
}

TEST_CASE("a mean over several steps stands at their middle") {
  std::vector<LoggedStep> single, means;
  for (int s = 1; s <= 400; ++s) single.push_back({s * 1.0, 1e-3, 5 - 0.01 * s});
  for (int s = 10; s <= 400; s += 10) means.push_back({s * 1.0, 1e-3, 5 - 0.01 * (s - 4.5), 10});
  const CurvePoints exact = near_peak(single, 0), curve = near_peak(means, 0);
  // On a straight line the mean is the loss at the middle, so both logs show one line. The first
  // interval of a log counts half: .5 steps are lost to it here, 5 where a line comes every tenth.
  for (const CurvePoint& point : curve.points)
    CHECK(point.loss == Approx(5 - 0.01 * (point.x + 5)).epsilon(1e-9));
  for (const CurvePoint& point : exact.points)
    CHECK(point.loss == Approx(5 - 0.01 * (point.x + 0.5)).epsilon(1e-9));
  CHECK(curve.last_step == 400);
  CHECK(curve.last_x - curve.points.back().x == Approx(4.5));
}

TEST_CASE("a log that begins after warm-up, or after growth, counts the gap at half") {
  const std::vector<LoggedStep> steps{{2000, 1, 4}, {2100, 1, 3.9}};
  CHECK(near_peak(steps, 0).points.front().x == 1000);
  CHECK(near_peak(steps, 1900).points.front().x == 50);
  CHECK(near_peak(steps, 1900).points.back().x == 150);
}

TEST_CASE("from where the rate falls nothing is used") {
  std::vector<LoggedStep> steps;
  for (int s = 1; s <= 100; ++s)
    steps.push_back({s * 1.0, s <= 80 ? 1.0 : s == 95 ? 1.0 : (100 - s) / 20.0, 3});
  const CurvePoints curve = near_peak(steps, 0);
  CHECK(curve.points.size() == 80);
  CHECK(curve.in_decay == 20);
  CHECK(curve.last_step == 80);
}

TEST_CASE("thinning keeps means of bins that are even in ln x") {
  std::vector<CurvePoint> points;
  for (int i = 1; i <= 5000; ++i) points.push_back({i * 1.0, i % 2 ? 2.0 : 4.0});
  const std::vector<CurvePoint> few = thinned(points, 100);
  CHECK(few.size() <= 100);
  CHECK(few.size() > 50);
  CHECK(few.back().loss == Approx(3).epsilon(0.01));
  for (std::size_t i = 1; i < few.size(); ++i) CHECK(few[i].x > few[i - 1].x);
  CHECK(thinned(few, 200).size() == few.size());
}

TEST_CASE("the robust deviation ignores the wild") {
  CHECK(robust_deviation(std::vector<double>{1, -1, 1, -1, 1e9}) == Approx(1.4826));
}
