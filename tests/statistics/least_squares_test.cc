// Robust least squares against numbers of scipy 1.17 (least_squares, loss='huber'), frozen here.
#include "statistics/least_squares.h"

#include <array>
#include <cmath>

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain::scaling;

namespace {

// 2 e^(-0.7 t) + 0.5 with small errors, and two wild points at the end.
constexpr std::array kErrors{.01, -.02, .015, 0., -.01, .02, 0., -.015, .01, 0., .6, -.4};

void decay(std::span<const double> p, std::span<double> r, std::span<double> J) {
  for (std::size_t i = 0; i < r.size(); ++i) {
    const double t = 0.5 * static_cast<double>(i), e = std::exp(-p[1] * t);
    r[i] = p[0] * e + p[2] - (2 * std::exp(-0.7 * t) + 0.5 + kErrors[i]);
    J[i * 3] = e;
    J[i * 3 + 1] = -p[0] * t * e;
    J[i * 3 + 2] = 1;
  }
}

}  // namespace

TEST_CASE("a robust fit has scipy's digits, from near and far") {
  for (const std::vector<double>& start :
       {std::vector<double>{1, 1, 0}, {2, 0.7, 0.5}, {5, 0.1, -3}, {0.1, 3, 1}}) {
    const LeastSquaresFit fit = least_squares(decay, kErrors.size(), start, {.huber = 0.03});
    CHECK(fit.converged);
    CHECK(fit.gradient <= 1e-9);
    CHECK(fit.objective == Approx(0.02986964545776576).epsilon(1e-12));
    CHECK(fit.parameters[0] == Approx(2.0005609929705397).epsilon(1e-7));
    CHECK(fit.parameters[1] == Approx(0.700515454657222).epsilon(1e-7));
    CHECK(fit.parameters[2] == Approx(0.5011668929035583).epsilon(1e-7));
  }
}

TEST_CASE("a wide delta is plain least squares") {
  const LeastSquaresFit fit = least_squares(decay, kErrors.size(), {1, 1, 0}, {.huber = 1e3});
  CHECK(fit.converged);
  CHECK(fit.objective == Approx(0.2572876188843509).epsilon(1e-12));
  CHECK(fit.parameters[1] == Approx(0.7350580541317744).epsilon(1e-7));
}

TEST_CASE("an exact fit converges to zero") {
  const auto line = [](std::span<const double> p, std::span<double> r, std::span<double> J) {
    for (std::size_t i = 0; i < r.size(); ++i) {
      r[i] = p[0] + p[1] * static_cast<double>(i) - 3.0 * static_cast<double>(i);
      J[i * 2] = 1;
      J[i * 2 + 1] = static_cast<double>(i);
    }
  };
  const LeastSquaresFit fit = least_squares(line, 10, {1, 1}, {});
  CHECK(fit.parameters[0] == Approx(0).margin(1e-9));
  CHECK(fit.parameters[1] == Approx(3).epsilon(1e-9));
  CHECK(fit.objective < 1e-15);
}

TEST_CASE("places that cannot be are not entered") {
  const auto root = [](std::span<const double> p, std::span<double> r, std::span<double> J) {
    r[0] = std::sqrt(p[0]) - 0.01;  // a full first step from 1 leads below 0
    J[0] = 0.5 / std::sqrt(p[0]);
  };
  const LeastSquaresFit fit = least_squares(root, 1, {1}, {.huber = 10, .tolerance = 0});
  CHECK(fit.parameters[0] == Approx(1e-4).epsilon(1e-6));
}

TEST_CASE("a start where residuals overflow is refused, for numbers come from files") {
  const auto overflowing = [](std::span<const double> p, std::span<double> r, std::span<double> J) {
    for (std::size_t i = 0; i < r.size(); ++i) r[i] = 1e308 * 10 * p[0];
    for (double& j : J) j = 1;
  };
  CHECK(stagedtrain::test::contains(
      stagedtrain::test::refusal(stagedtrain::ErrorKind::input,
                                 [&] { least_squares(overflowing, 3, {1}, {}); }),
      "values that overflow"));
}

TEST_CASE("huber's loss is a square within delta and straight beyond") {
  CHECK(huber_loss(0.5, 1) == 0.125);
  CHECK(huber_loss(-3, 1) == 2.5);
}
