// Kaplan's law: figures worked out elsewhere in double precision, and its closed forms.
#include "law/kaplan.h"

#include <cmath>

#include "law/family.h"
#include "law/ladder.h"
#include "law/limit.h"
#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::law;
using stagedtrain::test::kaplan_size;

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
  const Growth growth = best_growth(small, large, end_loss);
  return {growth.loss / large.curve->floor(), growth.credit / large.curve->tokens(end_loss),
          small.curve->log_slope(growth.loss), large.curve->log_slope(growth.loss), growth.rho()};
}
Relative relative(double factor) { return relative(factor, 1 / factor, Kaplan().best_end()); }

double ladder_saving(const std::vector<double>& divisors) {
  Family family;
  for (double divisor : divisors) family.push_back(kaplan_size(kParameters / divisor));
  const double end_loss = Kaplan().best_end() * family.back().curve->floor();
  return Ladders(family, end_loss).best(divisors.size()).saving;
}

}  // namespace

TEST_CASE("the slope of the best size is a closed form") {
  CHECK(Kaplan().best_slope() == Approx(-0.05198697068).epsilon(1e-9));
  CHECK(Kaplan().best_end() == Approx(1.1).epsilon(1e-14));
}

TEST_CASE("Kaplan's growths by 2, 4, 8 and 16 come and save as worked out") {
  const Relative two = relative(2);
  CHECK(two.loss == Approx(1.1842310145850).epsilon(1e-12));
  CHECK(two.saving == Approx(0.0661603199).margin(5.1e-11));
  CHECK(two.before == Approx(-0.0597543190).margin(5.1e-11));
  CHECK(two.after == Approx(-0.0756443555).margin(5.1e-11));
  CHECK(two.rho == Approx(1.5798751576).epsilon(1e-9));
  const Relative four = relative(4);
  CHECK(four.loss == Approx(1.2219849012).epsilon(1e-9));
  CHECK(four.saving == Approx(0.0799696041).margin(5.1e-11));
  CHECK(four.before == Approx(-0.0519118045).margin(5.1e-11));
  CHECK(four.after == Approx(-0.0832980914).margin(5.1e-11));
  CHECK(four.rho == Approx(2.4928208373).epsilon(1e-9));
  const Relative eight = relative(8);
  CHECK(eight.loss == Approx(1.2649569331).epsilon(1e-9));
  CHECK(eight.saving == Approx(0.0726752689).margin(5.1e-11));
  CHECK(eight.before == Approx(-0.0444122674).margin(5.1e-11));
  CHECK(eight.after == Approx(-0.0905489973).margin(5.1e-11));
  CHECK(eight.rho == Approx(3.9238219098).epsilon(1e-9));
  CHECK(relative(16).loss == Approx(1.3132812126).epsilon(1e-9));
  CHECK(relative(16).saving == Approx(0.0588863208).epsilon(1e-9));
}

TEST_CASE("the cost ratio decides what a growth saves") {
  CHECK(relative(2, 0.6355184037, 1.1).loss == Approx(1.25708472).epsilon(5e-9));
  CHECK(relative(2, 0.6355184037, 1.1).saving == Approx(0.02030282).margin(5e-9));
  CHECK(relative(4, 0.3508938924, 1.1).loss == Approx(1.26705536).epsilon(5e-9));
  CHECK(relative(4, 0.3508938924, 1.1).saving == Approx(0.04031243).margin(5e-9));
  CHECK(relative(4, 0.5, 1.1).loss == Approx(1.35917508).epsilon(5e-9));
  CHECK(relative(4, 0.5, 1.1).saving == Approx(0.01264721).margin(5e-9));
}

TEST_CASE("the end of the run decides the percentage") {
  CHECK(relative(2, 0.5, 1.05).saving == Approx(0.0213).margin(5e-5));
  CHECK(relative(4, 0.25, 1.05).saving == Approx(0.0257).margin(5e-5));
  CHECK(relative(2, 0.5, 1.15).saving == Approx(0.1394).margin(5e-5));
  CHECK(relative(4, 0.25, 1.15).saving == Approx(0.1685).margin(5e-5));
  CHECK(relative(2, 0.5, 1.20).saving == Approx(0.243).margin(5e-4));
  CHECK(relative(4, 0.25, 1.20).saving == Approx(0.301).margin(5e-4));
}

TEST_CASE("ladders of Kaplan's sizes add their credits") {
  CHECK(ladder_saving({4, 2, 1}) == Approx(0.0901774114).epsilon(1e-9));
  CHECK(ladder_saving({8, 4, 2, 1}) == Approx(0.0988959406).epsilon(1e-9));
  CHECK(ladder_saving({16, 4, 1}) == Approx(0.0905079046).epsilon(1e-9));
}

TEST_CASE("a long ladder comes to the endless one, and endless stages save more than any") {
  CHECK(endless_ladder({}, 2, relative(2).saving) == Approx(0.1038645612).epsilon(1e-9));
  CHECK(endless_ladder({}, 4, relative(4).saving) == Approx(0.0921074104).epsilon(1e-9));
  CHECK(endless_ladder({}, 8, relative(8).saving) == Approx(0.0763265395).epsilon(1e-9));
  CHECK(ladder_saving({4096, 1024, 256, 64, 16, 4, 1}) == Approx(0.0921074104).epsilon(1e-4));
  const Limit limit = endless_stages(Kaplan(), kParameters);
  const KaplanCurve curve({}, kParameters);
  CHECK(limit.share == Approx(0.1315574070).epsilon(1e-9));
  CHECK(limit.loss / curve.floor() == Approx(1.1514865899).epsilon(1e-10));
  CHECK(limit.credit / curve.tokens(1.1 * curve.floor()) == Approx(0.1082593584).epsilon(1e-9));
}

TEST_CASE("the best free sizes save as worked out for 2, 3 and 4 stages") {
  CHECK(ladder_saving({3.973, 1}) == Approx(0.0799705522).margin(1e-9));
  CHECK(ladder_saving({8.985, 2.2616, 1}) == Approx(0.0954825250).margin(1e-9));
  CHECK(ladder_saving({16.08, 4.047, 1.790, 1}) == Approx(0.1010122704).margin(2e-9));
}

TEST_CASE("nothing depends on the size of the final model") {
  const Size small = kaplan_size(1e10 / 2), large = kaplan_size(1e10);
  const double end_loss = 1.1 * large.curve->floor();
  const Growth growth = best_growth(small, large, end_loss);
  CHECK(growth.credit / large.curve->tokens(end_loss) == Approx(relative(2).saving).epsilon(1e-10));
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
