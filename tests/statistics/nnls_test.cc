// Non-negative least squares against scipy's nnls, frozen here.
#include "statistics/nnls.h"

#include "statistics/linear_solve.h"
#include "support/catch.h"

using namespace stagedtrain::scaling;

namespace {

const std::vector<std::vector<double>> kColumns{{1, 1, 1, 1}, {2, 1, 0.5, 0.25}, {0.5, 2, 3, 1}};

}  // namespace

TEST_CASE("coefficients are scipy's, with none, one and all at zero") {
  const NonNegativeFit inside = non_negative_fit(kColumns, std::vector<double>{3, 2, 1, 0.5});
  CHECK(inside.coefficients[0] == Approx(0.017828200972447306).epsilon(1e-9));
  CHECK(inside.coefficients[1] == Approx(1.500810372771475).epsilon(1e-9));
  CHECK(inside.coefficients[2] == Approx(0.12317666126418143).epsilon(1e-9));
  CHECK(inside.squares == Approx(0.0810372771474881).epsilon(1e-9));
  const NonNegativeFit edge = non_negative_fit(kColumns, std::vector<double>{1, 2, 3, 4});
  CHECK(edge.coefficients[0] == Approx(1.949152542372882).epsilon(1e-9));
  CHECK(edge.coefficients[1] == 0);
  CHECK(edge.coefficients[2] == Approx(0.33898305084745745).epsilon(1e-9));
  CHECK(edge.squares == Approx(4.576271186440677).epsilon(1e-9));
  const NonNegativeFit none = non_negative_fit(kColumns, std::vector<double>{-1, 2, -3, -1});
  CHECK(none.coefficients == std::vector<double>{0, 0, 0});
}

TEST_CASE("columns that are multiples of each other share the work") {
  const NonNegativeFit fit = non_negative_fit({{1, 2, 3}, {2, 4, 6}}, std::vector<double>{1, 2, 3});
  CHECK(fit.squares == Approx(0).margin(1e-12));
}

TEST_CASE("a system that is not positive definite is refused") {
  const Eigen::Matrix2d indefinite{{1, 2}, {2, 1}}, singular{{1, 1}, {1, 1 + 1e-15}};
  CHECK_FALSE(solve_positive(indefinite, Eigen::Vector2d(1, 1)));
  CHECK_FALSE(solve_positive(singular, Eigen::Vector2d(1, 1)));
  const auto x = solve_positive(Eigen::Matrix2d{{4, 2}, {2, 3}}, Eigen::Vector2d(8, 8));
  REQUIRE(x);
  CHECK((*x)[0] == Approx(1));
  CHECK((*x)[1] == Approx(2));
}
