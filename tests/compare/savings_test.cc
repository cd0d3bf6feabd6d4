// The arithmetic of savings, against numbers worked by hand.
#include "compare/savings.h"

#include <cmath>
#include <limits>

#include "support/catch.h"

using namespace stagedtrain::report;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// Costs 100 and 400: a factor of 4, so a loss half-way costs 200.
const std::vector<DecayedEnd> kTwo{{100, 2.0, 0.01}, {400, 1.6, 0.02}};

}  // namespace

TEST_CASE("the cost of a loss is interpolated linearly in log cost") {
  const auto result = saving({150, 1.8, 0.03}, kTwo);
  REQUIRE(result);
  CHECK(result->reach == Reach::inside);
  CHECK(result->scratch_cost == Approx(200));
  CHECK(result->value == Approx(0.25));
  CHECK(result->low == 0);
  CHECK(result->high == 1);
  CHECK_FALSE(result->at_least);
  CHECK_FALSE(result->at_most);
}

TEST_CASE("the error of a saving is carried over from the three losses") {
  // Loss error: sqrt(0.03^2 + 0.25 * 0.01^2 + 0.25 * 0.02^2) = 0.0320156. The slope is ln 4 / 0.4
  // in log cost per nat; d(saving) = 150 / 200 * d(log cost).
  const auto result = saving({150, 1.8, 0.03}, kTwo);
  REQUIRE(result);
  CHECK(result->se == Approx(0.0320156 * std::log(4.0) / 0.4 * 0.75).epsilon(1e-5));
  CHECK(std::isnan(saving({150, 1.8, kNan}, kTwo)->se));
}

TEST_CASE("the ends themselves are inside") {
  CHECK(saving({50, 2.0, 0}, kTwo)->value == Approx(0.5));
  CHECK(saving({50, 2.0, 0}, kTwo)->reach == Reach::inside);
  CHECK(saving({100, 1.6, 0}, kTwo)->value == Approx(0.75));
  CHECK(saving({100, 1.6, 0}, kTwo)->reach == Reach::inside);
}

TEST_CASE("a staged run that costs more has a negative saving") {
  CHECK(saving({300, 1.8, 0}, kTwo)->value == Approx(-0.5));
}

TEST_CASE("a loss a little below all ends is extrapolated, with a bound that needs none") {
  // log cost rises by ln 4 for 0.4 nats: 0.04 nats below is a factor of 4^0.1 = 1.1487.
  const auto result = saving({200, 1.56, 0}, kTwo);
  REQUIRE(result);
  CHECK(result->reach == Reach::extrapolated);
  CHECK(result->scratch_cost == Approx(400 * std::pow(4.0, 0.1)));
  CHECK(result->value == Approx(1 - 200 / 459.479).epsilon(1e-5));
  REQUIRE(result->at_least);
  CHECK(*result->at_least == Approx(0.5));
}

TEST_CASE("a loss far below all ends has a bound alone") {
  const auto result = saving({200, 1.4, 0}, kTwo);  // a factor of 2
  REQUIRE(result);
  CHECK(result->reach == Reach::beyond);
  CHECK(std::isnan(result->value));
  CHECK(std::isnan(result->scratch_cost));
  CHECK(*result->at_least == Approx(0.5));
}

TEST_CASE("a loss above all ends has an upper bound") {
  const auto result = saving({80, 2.02, 0}, kTwo);  // 4^-0.05
  REQUIRE(result);
  CHECK(result->reach == Reach::extrapolated);
  CHECK(result->scratch_cost == Approx(100 * std::pow(4.0, -0.05)));
  CHECK(*result->at_most == Approx(0.2));
  CHECK(saving({80, 2.5, 0}, kTwo)->reach == Reach::beyond);
}

TEST_CASE("of three ends the two around the loss are used") {
  const std::vector<DecayedEnd> ends{{400, 1.6, 0}, {100, 2.0, 0}, {200, 1.7, 0}};  // any order
  const auto result = saving({100, 1.65, 0}, ends);
  REQUIRE(result);
  CHECK(result->low == 2);
  CHECK(result->high == 0);
  CHECK(result->scratch_cost == Approx(std::sqrt(200.0 * 400.0)));
  CHECK(saving({100, 1.85, 0}, ends)->scratch_cost == Approx(std::sqrt(100.0 * 200.0)));
}

TEST_CASE("an end that another beats at no greater cost is set aside") {
  const std::vector<DecayedEnd> ends{
      {100, 2.0, 0}, {200, 2.1, 0}, {300, 2.0, 0}, {400, 1.6, 0}, {100, 2.2, 0}};
  CHECK(frontier(ends) == std::vector<std::size_t>{0, 3});
  CHECK(saving({150, 1.8, 0}, ends)->scratch_cost == Approx(200));
}

TEST_CASE("ends of unknown cost or loss are left out") {
  const std::vector<DecayedEnd> ends{
      {kNan, 1.0, 0}, {400, 1.6, 0}, {0, 1.0, 0}, {50, kNan, 0}, {100, 2.0, 0}};
  CHECK(frontier(ends) == std::vector<std::size_t>{4, 1});
}

TEST_CASE("fewer than two ends tell nothing") {
  CHECK_FALSE(saving({100, 1.8, 0}, {}));
  CHECK_FALSE(saving({100, 1.8, 0}, {{100, 2.0, 0}}));
  CHECK_FALSE(saving({100, 1.8, 0}, {{100, 2.0, 0}, {200, 2.0, 0}}));  // no progress
  CHECK_FALSE(saving({kNan, 1.8, 0}, kTwo));
  CHECK_FALSE(loss_gap({100, 1.8, 0}, {{100, 2.0, 0}}));
  CHECK_FALSE(loss_gap({kNan, 1.8, 0}, kTwo));
}

TEST_CASE("the gap is the interpolated scratch loss minus the staged loss at the same cost") {
  const auto gap = loss_gap({200, 1.7, 0.03}, kTwo);  // half-way in log cost: 1.8
  REQUIRE(gap);
  CHECK(gap->reach == Reach::inside);
  CHECK(gap->scratch_loss == Approx(1.8));
  CHECK(gap->value == Approx(0.1));
  CHECK(gap->se == Approx(0.0320156).epsilon(1e-5));
}

TEST_CASE("the gap is extrapolated to a factor of 1.25 in cost, not beyond") {
  const auto near = loss_gap({440, 1.5, 0}, kTwo);
  REQUIRE(near);
  CHECK(near->reach == Reach::extrapolated);
  CHECK(near->scratch_loss == Approx(1.6 - 0.4 * std::log(1.1) / std::log(4.0)));
  CHECK(loss_gap({90, 2.2, 0}, kTwo)->reach == Reach::extrapolated);
  CHECK(loss_gap({520, 1.5, 0}, kTwo)->reach == Reach::beyond);
  CHECK(std::isnan(loss_gap({520, 1.5, 0}, kTwo)->value));
}
