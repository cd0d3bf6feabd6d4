// Kaplan's law: figures worked out elsewhere in double precision, and its closed forms.
#include "scaling/kaplan.h"

#include <cmath>

#include "scaling/family.h"
#include "scaling/growth_path.h"
#include "scaling/limit.h"
#include "support/catch.h"
#include "support/digits.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;
using stagedtrain::test::kaplan_size;
using stagedtrain::test::operator""_digits;

namespace {

constexpr double kParameters = 3e8;

// A growth by this factor in a run that ends at a multiple of the final size's floor.
struct Relative {
  double loss, saving, before, after, rho;
};
Relative relative(double factor, double cost_ratio, double end) {
  const Kaplan law;
  Size small = kaplan_size(kParameters / factor), large = kaplan_size(kParameters);
  small.cost = cost_ratio * large.cost;
  const double end_loss = end * large.curve->floor();
  const GrowthPoint growth = best_growth(small, large, end_loss);
  return {growth.loss / large.curve->floor(), growth.tokens_saved / large.curve->tokens(end_loss),
          small.curve->log_slope(growth.loss), large.curve->log_slope(growth.loss), growth.rho()};
}
// The loss at which compute-optimal training ends, as a multiple of the floor: 1 + aN / aS.
constexpr double kBestEnd = 1.1;
Relative relative(double factor) { return relative(factor, 1 / factor, kBestEnd); }

double growth_path_saving(const std::vector<double>& divisors) {
  Family family;
  for (double divisor : divisors) family.push_back(kaplan_size(kParameters / divisor));
  const double end_loss = kBestEnd * family.back().curve->floor();
  return GrowthPaths(family, end_loss).best(divisors.size()).saving;
}

// What growing from one size, as ln of a part of the final one, to another saves of the whole.
double worth(double from, double to) {
  const Size last = kaplan_size(kParameters);
  const double end = kBestEnd * last.curve->floor();
  const Size small = kaplan_size(kParameters * std::exp(from)),
             large = kaplan_size(kParameters * std::exp(to));
  return best_growth(small, large, end).tokens_saved * std::exp(to) / last.curve->tokens(end);
}

// The saving of so many stages of any sizes: each size between its neighbours is made best in turn.
double free_saving(std::size_t stages) {
  std::vector<double> sizes;
  for (std::size_t i = 0; i < stages; ++i)
    sizes.push_back(-0.7 * static_cast<double>(stages - 1 - i));
  for (int sweep = 0; sweep < 40; ++sweep) {
    for (std::size_t i = 0; i + 1 < stages; ++i) {
      const auto saved = [&](double size) {
        return (i > 0 ? worth(sizes[i - 1], size) : 0) + worth(size, sizes[i + 1]);
      };
      double low = i > 0 ? sizes[i - 1] : sizes[0] - 1, high = sizes[i + 1];
      for (int step = 0; step < 25; ++step) {
        const double a = low + (high - low) / 3, b = high - (high - low) / 3;
        (saved(a) < saved(b) ? low : high) = saved(a) < saved(b) ? a : b;
      }
      sizes[i] = (low + high) / 2;
    }
  }
  double saved = 0;
  for (std::size_t i = 0; i + 1 < stages; ++i) saved += worth(sizes[i], sizes[i + 1]);
  return saved;
}

}  // namespace

TEST_CASE("Kaplan's growths by 2, 4, 8 and 16 come and save as worked out", "[T1]") {
  const Relative two = relative(2);
  CHECK(two.loss == "1.1842310145852"_digits);
  CHECK(two.saving == "0.0661603199"_digits);
  CHECK(two.before == "-0.0597543190"_digits);
  CHECK(two.after == "-0.0756443555"_digits);
  CHECK(two.rho == "1.5798751576"_digits);
  const Relative four = relative(4);
  CHECK(four.loss == "1.2219849012"_digits);
  CHECK(four.saving == "0.0799696041"_digits);
  CHECK(four.before == "-0.0519118045"_digits);
  CHECK(four.after == "-0.0832980914"_digits);
  CHECK(four.rho == "2.4928208373"_digits);
  const Relative eight = relative(8);
  CHECK(eight.loss == "1.2649569331"_digits);
  CHECK(eight.saving == "0.0726752689"_digits);
  CHECK(eight.before == "-0.0444122674"_digits);
  CHECK(eight.after == "-0.0905489973"_digits);
  CHECK(eight.rho == "3.9238219098"_digits);
  CHECK(relative(16).loss == "1.3132812126"_digits);
  CHECK(relative(16).saving == "0.0588863208"_digits);
}

TEST_CASE("the cost ratio decides what a growth saves", "[T2]") {
  CHECK(relative(2, 0.6355184037, 1.1).loss == "1.25708472"_digits);
  CHECK(relative(2, 0.6355184037, 1.1).saving == "0.02030282"_digits);
  CHECK(relative(4, 0.3508938924, 1.1).loss == "1.26705536"_digits);
  CHECK(relative(4, 0.3508938924, 1.1).saving == "0.04031243"_digits);
  CHECK(relative(4, 0.5, 1.1).loss == "1.35917508"_digits);
  CHECK(relative(4, 0.5, 1.1).saving == "0.01264721"_digits);
}

TEST_CASE("the end of the run decides the percentage") {
  CHECK(relative(2, 0.5, 1.05).saving == "0.0213"_digits);
  CHECK(relative(4, 0.25, 1.05).saving == "0.0257"_digits);
  CHECK(relative(2, 0.5, 1.15).saving == "0.1394"_digits);
  CHECK(relative(4, 0.25, 1.15).saving == "0.1685"_digits);
  CHECK(relative(2, 0.5, 1.20).saving == "0.243"_digits);
  CHECK(relative(4, 0.25, 1.20).saving == "0.301"_digits);
}

TEST_CASE("growth paths of Kaplan's sizes add the tokens they save", "[T1]") {
  CHECK(growth_path_saving({4, 2, 1}) == "0.0901774114"_digits);
  CHECK(growth_path_saving({8, 4, 2, 1}) == "0.0988959406"_digits);
  CHECK(growth_path_saving({16, 4, 1}) == "0.0905079046"_digits);
}

TEST_CASE("a long growth path comes to the endless one, and endless stages save more than any",
          "[T1]") {
  CHECK(growth_path_saving({4096, 1024, 256, 64, 16, 4, 1}) == Approx(0.0921074104).epsilon(1e-4));
  const Limit limit = endless_stages(Kaplan(), kParameters);
  const KaplanCurve curve({}, kParameters);
  CHECK(limit.share == "0.1315574070"_digits);
  CHECK(limit.loss / curve.floor() == "1.1514865899"_digits);
  CHECK(limit.tokens_saved / curve.tokens(1.1 * curve.floor()) == "0.1082593584"_digits);
}

TEST_CASE("the best free sizes save as worked out for 2 to 6 stages") {
  CHECK(free_saving(2) == "0.0799705522"_digits);
  CHECK(free_saving(3) == "0.0954825250"_digits);
  CHECK(free_saving(4) == "0.1010122704"_digits);
  CHECK(free_saving(5) == "0.1035975"_digits);
  CHECK(free_saving(6) == "0.1050109"_digits);
}

TEST_CASE("nothing depends on the size of the final model") {
  const Size small = kaplan_size(1e10 / 2), large = kaplan_size(1e10);
  const double end_loss = 1.1 * large.curve->floor();
  const GrowthPoint growth = best_growth(small, large, end_loss);
  CHECK(growth.tokens_saved / large.curve->tokens(end_loss) ==
        Approx(relative(2).saving).epsilon(1e-10));
}

TEST_CASE("loss and tokens of Kaplan's law are inverses, and the slope is their derivative") {
  const KaplanCurve curve({}, 1e8);
  for (double tokens = 1e3; tokens < 1e13; tokens *= 7) {
    const double loss = curve.loss(tokens), h = 1e-5 * (loss - curve.floor());
    CHECK(curve.tokens(loss) == Approx(tokens).epsilon(1e-10));
    const double slope = (curve.tokens(loss + h) - curve.tokens(loss - h)) / (2 * h);
    CHECK(curve.tokens_slope(loss) == Approx(slope).epsilon(1e-6));
  }
  CHECK(curve.loss(0) == kInfinity);
  CHECK(curve.tokens(curve.floor()) == kInfinity);
}
