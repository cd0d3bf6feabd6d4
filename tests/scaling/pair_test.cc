// The best moment to grow: fitted curves, the two assumptions, and a search by brute force.
#include "scaling/pair.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "scaling/family.h"
#include "scaling/growth_path.h"
#include "scaling/stage_curve.h"
#include "support/catch.h"
#include "support/digits.h"
#include "support/errors.h"

using namespace stagedtrain;
using namespace stagedtrain::scaling;
using test::chinchilla_size;
using test::written;
using test::operator""_digits;

namespace {

Size fitted(double cost, const StageCurve& curve) {
  return {"fitted", cost, std::make_shared<PowerCurve>(curve.curve(1))};
}
// Curves of real runs of 25, 100 and 400 million parameters, in units of 10,000 steps.
const StageCurve k25{3.13642, .314545, .484368}, k100{2.80104, .345534, .462891},
    k400{2.55989, .374287, .451497};

constexpr double kEnds[] = {.667, 2.292, 7.092};

double end_loss(double x) { return k400.loss(x); }

double saved_at_ratio(double ratio) {
  return best_growth(fitted(ratio, k100), fitted(1, k400), end_loss(7.092)).tokens_saved;
}

// The most tokens saved at all times between two, from a grid that is refined twice.
double brute_force(const Size& small, const Size& large, double from, double to) {
  constexpr int kPoints = 300;
  const double first = from, last = to;
  double best = 0, at = from;
  for (int round = 0; round < 3; ++round) {
    const double step = std::pow(to / from, 1.0 / kPoints);
    for (int i = 0; i <= kPoints; ++i) {
      const double tokens = std::clamp(from * std::pow(step, i), first, last);
      const double saved = growth_after(small, large, tokens).tokens_saved;
      if (saved > best) best = saved, at = tokens;
    }
    from = at / step;
    to = at * step;
  }
  return best;
}

}  // namespace

TEST_CASE("growths between fitted curves come and save as worked out", "[T5]") {
  struct {
    Size small, large;
    const char *loss, *x_small, *x_large, *tokens_saved, *rho, *savings[3];
  } rows[] = {
      {fitted(1, k25),
       fitted(4, k100),
       "3.65032408",
       ".36294456",
       ".14330274",
       ".05256660",
       "2.532712",
       {".078811", ".022935", ".007412"}},
      {fitted(1, k100),
       fitted(4, k400),
       "3.17999578",
       ".81917257",
       ".32686528",
       ".12207213",
       "2.506147",
       {".183017", ".053260", ".017213"}},
      {fitted(1, k25),
       fitted(16, k400),
       "3.47133123",
       ".87851155",
       ".13928549",
       ".08437852",
       "6.307273",
       {".126505", ".036814", ".011898"}},
  };
  for (const auto& row : rows) {
    for (int i = 0; i < 3; ++i) {
      const GrowthPoint growth = best_growth(row.small, row.large, row.large.curve->loss(kEnds[i]));
      CHECK(growth.tokens_saved / kEnds[i] == written(row.savings[i]));
    }
    const GrowthPoint growth = best_growth(row.small, row.large, row.large.curve->loss(kEnds[2]));
    CHECK(growth.loss == written(row.loss));
    CHECK(growth.small_tokens == written(row.x_small));
    CHECK(growth.resume_tokens == written(row.x_large));
    CHECK(growth.tokens_saved == written(row.tokens_saved));
    CHECK(growth.rho() == written(row.rho));
  }
}

TEST_CASE("the tokens saved do not depend on the end, so the saving falls as the run grows",
          "[T5]") {
  for (double end : kEnds)
    CHECK(best_growth(fitted(1, k100), fitted(4, k400), end_loss(end)).tokens_saved ==
          ".12207213"_digits);
}

TEST_CASE("tokens saved add up along a growth path of fitted curves", "[T5]") {
  const Family family = {fitted(1, k25), fitted(4, k100), fitted(16, k400)};
  const GrowthPaths growth_paths(family, end_loss(2.292));
  const GrowthPath growth_path = growth_paths.best(3);
  CHECK(growth_path.sizes == std::vector<std::size_t>{0, 1, 2});
  CHECK(growth_path.tokens_saved == ".13521379"_digits);
  CHECK(growth_path.tokens_saved ==
        Approx(growth_path.growths[1].tokens_saved + growth_path.growths[0].tokens_saved / 4)
            .margin(1e-10));
  const char* savings[] = {".202719", ".058994", ".019066"};
  for (int i = 0; i < 3; ++i)
    CHECK(GrowthPaths(family, end_loss(kEnds[i])).best(3).saving == written(savings[i]));
  double cost = 0, begin = 0;  // of each stage, on its own curve
  for (std::size_t stage = 0; stage < 3; ++stage) {
    const double end = stage == 2 ? family[2].curve->tokens(end_loss(2.292))
                                  : growth_path.growths[stage].small_tokens;
    cost += family[stage].cost * (end - begin);
    if (stage < 2) begin = growth_path.growths[stage].resume_tokens;
  }
  CHECK(1 - cost / (16 * 2.292) == Approx(growth_path.saving).margin(1e-10));
  CHECK(growth_paths.best(2).sizes == std::vector<std::size_t>{1, 2});
  CHECK(growth_paths.best(1).tokens_saved == 0);
  CHECK(growth_paths.through({0, 2}).tokens_saved == ".08437852"_digits);
}

TEST_CASE("the tokens saved fall fast as the smaller size costs more", "[T5]") {
  const double ratios[] = {.25, .30, .35, .40, .50, .60, .70, .80};
  const char* saved_tokens[] = {".12207213", ".08754055", ".06287046", ".04495583",
                                ".02220552", ".01005044", ".00385796", ".00105214"};
  for (int i = 0; i < 8; ++i) CHECK(saved_at_ratio(ratios[i]) == written(saved_tokens[i]));
}

TEST_CASE("one schedule under both assumptions differs by a factor in its promise", "[T7]") {
  struct {
    double factor, tau, cost;
    const char *loss, *excess, *saving;
  } rows[] = {{2, .5, .75, "2.848615", ".042883", ".059719"},
              {4, .5, .625, "2.883306", ".077574", ".071098"},
              {2, .8, .60, "2.895123", ".089391", ".057248"},
              {4, .8, .40, "2.982426", ".176694", ".081675"}};
  const Chinchilla law = chinchilla_constants().at(0).law;
  const Size large = chinchilla_size(law, 4e8);
  for (const auto& row : rows) {
    const Size small = chinchilla_size(law, 4e8 / row.factor);
    const GrowthPoint mixed =
        mixing_growth(small, large, {.tokens = 8e9, .decay = (1 - row.tau) * 8e9});
    CHECK(mixed.assumption == Assumption::mixing);
    CHECK(mixed.tokens_saved / 8e9 == Approx(1 - row.cost).epsilon(1e-12));
    const GrowthPoint floor = growth_after(small, large, row.tau * 8e9);
    CHECK(floor.assumption == Assumption::loss_state);
    const double tokens = floor.resume_tokens + (1 - row.tau) * 8e9;
    CHECK(law.loss(4e8, tokens) == written(row.loss));
    CHECK(law.loss(4e8, tokens) - law.loss(4e8, 8e9) == written(row.excess));
    CHECK(floor.tokens_saved / tokens == written(row.saving));
  }
}

TEST_CASE("mixing saves the cost ratio's share of the time before the jump, in every accounting",
          "[T6]") {
  // 124M parameters and FLOPs of GPT-2; causal attention counts half of 12 d T for each layer.
  const double V = 50257, d = 768, T = 1024, L = 12;
  const double total = V * d + T * d + L * (12 * d * d + 13 * d) + 2 * d;
  const auto parameters = [&](double l) {
    return V * d + T * d + l * (12 * d * d + 13 * d) + 2 * d;
  };
  const auto flops = [&](double l, double attention) {
    return 6 * (V * d + l * 12 * d * d) + l * attention * d * T;
  };
  CHECK(total == 124439808);
  struct {
    double layers;
    const char *non_embedding, *total, *full, *causal;
  } rows[] = {{0, ".800000", ".546799", ".583171", ".567782"},
              {1, ".733333", ".501232", ".534573", ".520466"}};
  const auto saving = [](double small, double large) {
    const auto curve = std::make_shared<PowerCurve>(2, 1, 0.3);
    const Size a{"a", std::max(small, 1e-12), curve}, b{"b", large, curve};
    return mixing_growth(a, b, {.tokens = 1, .decay = 0.2}).tokens_saved;
  };
  for (const auto& row : rows) {
    const double l = row.layers;
    CHECK(saving(l, L) == written(row.non_embedding));
    CHECK(saving(parameters(l), total) == written(row.total));
    CHECK(saving(flops(l, 12), flops(L, 12)) == written(row.full));
    CHECK(saving(flops(l, 6), flops(L, 6)) == written(row.causal));
  }
}

TEST_CASE("growth under mixing is refused when it no longer fits before the decay") {
  const RunLength run{.tokens = 1e9, .decay = 2e8, .mixing = 9e8};
  CHECK(test::refusal(ErrorKind::usage, [&] { run.last_growth(); }) ==
        "the run is too short to grow: it has 1G tokens, but decay takes 200M, mixing 900M and "
        "margin 0 | train longer, or give a shorter mixing time if one was "
        "measured");
}

TEST_CASE("a measured rho pays up to the ratio of costs") {
  const Size small = fitted(1, k100), large = fitted(4, k400);
  CHECK(measured_growth(small, large, 0.5, 4).tokens_saved == Approx(0).margin(1e-15));
  CHECK_FALSE(measured_growth(small, large, 0.5, 4.1).pays());
  const GrowthPoint growth = measured_growth(small, large, 0.5, 2);
  CHECK(growth.tokens_saved == Approx(0.5 * (1.0 / 2 - 1.0 / 4)));
  CHECK(growth.resume_tokens == 0.25);
  CHECK(growth.assumption == Assumption::measured);
}

TEST_CASE("closed form, slopes made equal and brute force agree over random curves", "[T11]") {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 200; ++i) {
    const double exponent = 0.2 + 0.5 * unit(random), floor = 1 + 2 * unit(random);
    const double above = 0.02 + 0.5 * unit(random), ratio = 0.05 + 0.9 * unit(random);
    const double scale = std::pow(10.0, 4 * unit(random));
    const Size small{"small", ratio, std::make_shared<PowerCurve>(floor + above, scale, exponent)};
    const Size large{"large", 1, std::make_shared<PowerCurve>(floor, scale, exponent)};
    const GrowthPoint closed = best_growth({floor + above, floor, scale, exponent, ratio});
    const GrowthPoint found = best_growth(small, large, floor + 0.01 * above);
    CHECK(found.loss == Approx(closed.loss).epsilon(1e-9));
    CHECK(found.small_tokens == Approx(closed.small_tokens).epsilon(1e-7));
    CHECK(found.tokens_saved == Approx(closed.tokens_saved).epsilon(1e-9));
    CHECK(found.rho() == Approx(std::pow(ratio, -1 / (1 + exponent))).epsilon(1e-8));
    CHECK(small.cost * small.curve->tokens_slope(found.loss) ==
          Approx(large.cost * large.curve->tokens_slope(found.loss)).epsilon(1e-9));
    const double from = 1e-4 * closed.small_tokens, to = 1e4 * closed.small_tokens;
    CHECK(found.tokens_saved == Approx(brute_force(small, large, from, to)).epsilon(1e-6));
    for (double end : {found.earliest, found.latest})
      CHECK(growth_after(small, large, end).tokens_saved ==
            Approx(0.95 * found.tokens_saved).epsilon(1e-9));
    CHECK(found.earliest < found.small_tokens);
    CHECK(found.small_tokens < found.latest);
  }
}

TEST_CASE("curves of different shape, with and without warm-up, are as good as brute force",
          "[T11]") {
  std::mt19937_64 random(6);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 200; ++i) {
    const auto curve = [&](double floor, double offset) {
      return std::make_shared<PowerCurve>(floor, 3 + 3 * unit(random), 0.3 + 0.3 * unit(random),
                                          offset);
    };
    const double offset = 20 * (unit(random) - 0.7), floor = 1 + unit(random);
    const Size small{"small", 0.1 + 0.8 * unit(random), curve(floor + 0.4 * unit(random), offset)};
    const Size large{"large", 1, curve(floor, offset)};
    const double end = large.curve->loss(3e4);
    const GrowthPoint found = best_growth(small, large, end);
    CHECK(found.loss >= end * (1 - 1e-12));
    const double first = small.curve->tokens(kInfinity);
    const double last = std::min(small.curve->tokens(end), 3e4 / small.cost);
    const double searched = brute_force(small, large, std::max(first, 1e-6), last);
    CHECK(found.tokens_saved >= searched * (1 - 1e-6));
    if (found.pays() && found.small_tokens > first && found.small_tokens < last)
      CHECK(found.tokens_saved == Approx(searched).epsilon(1e-6));
  }
}

TEST_CASE("warm-up is paid at the smaller size's price") {
  // Both lose W/2 = 50 steps; growing saves (W/2)(1 - r) steps more than without warm-up.
  const double r = 0.25;
  const auto saved = [&](double offset) {
    const Size small{"small", r, std::make_shared<PowerCurve>(2.8, 10, 0.45, offset)};
    const Size large{"large", 1, std::make_shared<PowerCurve>(2.5, 10, 0.45, offset)};
    return best_growth(small, large, 2.6).tokens_saved;
  };
  CHECK(saved(-50) - saved(0) == Approx(50 * (1 - r)).epsilon(1e-9));
}

TEST_CASE("a growth that never pays says so, and one that pays to the end stops at the end") {
  const Size good{"good", 1, std::make_shared<PowerCurve>(2, 10, 0.5)};
  const Size dear{"dear", 2, std::make_shared<PowerCurve>(2.5, 10, 0.5)};
  CHECK_FALSE(best_growth(dear, good, 2.2).pays());
  const Size cheap{"cheap", 0.01, std::make_shared<PowerCurve>(2.01, 10, 0.5)};
  CHECK(best_growth(cheap, good, 2.5).loss == Approx(2.5).epsilon(1e-12));
}
