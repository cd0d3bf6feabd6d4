// The condition for saving half: the table of shares that it was published with, and its own
// definition.
#include "scaling/half_saving.h"

#include <array>
#include <map>

#include "support/catch.h"

using namespace stagedtrain::scaling;

namespace {

// What a run saves by definition, if the small model reads this share of its tokens.
double saving_at_share(double cost_ratio, double rho, double share) {
  const double small_tokens = share / (1 - share);  // for each token of the final model
  const double scratch = small_tokens / rho + 1;
  return 1 - (small_tokens * cost_ratio + 1) / scratch;
}

}  // namespace

TEST_CASE("the shares that save half, for each rho and each cost of the small model") {
  constexpr double kRatios[] = {0.10, 0.15, 0.25, 1.0 / 3};
  const std::map<double, std::array<double, 4>> shares = {{1.0, {.556, .588, .667, .750}},
                                                          {1.2, {.612, .652, .750, .857}},
                                                          {1.4, {.660, .707, .824, .955}},
                                                          {1.6, {.702, .755, .889, -1}}};
  for (const auto& [rho, row] : shares)
    for (std::size_t i = 0; i < row.size(); ++i) {
      INFO("rho " << rho << ", r " << kRatios[i]);
      const auto share = share_for_half(kRatios[i], rho);
      REQUIRE(share.has_value() == (row[i] > 0));
      CHECK(share.has_value() == (rho < most_rho_for_half(kRatios[i])));
      if (!share) continue;
      CHECK(*share == Approx(row[i]).margin(5.1e-4));
      CHECK(saving_at_share(kRatios[i], rho, *share) == Approx(0.5).epsilon(1e-12));
      CHECK(saving_at_share(kRatios[i], rho, *share * 0.99) < 0.5);
    }
}
