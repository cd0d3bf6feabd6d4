// Closed forms of Kaplan's and Chinchilla's laws against brute force, over random constants (T11).
#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "scaling/family.h"
#include "scaling/growth_path.h"
#include "scaling/limit.h"
#include "support/catch.h"

using namespace stagedtrain::scaling;
using namespace stagedtrain::test;

namespace {

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  double between(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }

 private:
  std::mt19937 engine_;
};

Kaplan random_kaplan(Dice& dice) {
  Kaplan law;
  law.aN = dice.between(.05, .12);
  law.aS = dice.between(.5, 1);
  law.aB = dice.between(.15, .3);
  law.Nc *= dice.between(.3, 3);
  law.Sc *= dice.between(.3, 3);
  law.critical *= dice.between(.3, 3);
  return law;
}

Chinchilla random_chinchilla(Dice& dice) {
  return {dice.between(1.5, 2), dice.between(200, 800), dice.between(300, 3000),
          dice.between(.25, .4), dice.between(.25, .4)};
}

// The least value of f over x, which falls and then rises.
template <class F>
double least(double low, double high, F f) {
  for (int i = 0; i < 200; ++i) {
    const double a = low + (high - low) / 3, b = high - (high - low) / 3;
    (f(a) < f(b) ? high : low) = f(a) < f(b) ? b : a;
  }
  return f((low + high) / 2);
}

// ln of the least compute that comes to a loss, over all sizes.
double least_compute(const Kaplan& law, double loss) {
  const double smallest = std::log(law.Nc) - std::log(loss) / law.aN;  // its floor is the loss
  return least(smallest + 1e-6, smallest + 40, [&](double size) {
    return size + std::log(KaplanCurve(law, std::exp(size)).tokens(loss));
  });
}

// The most that growing at any loss saves, in tokens of the larger size.
double most_saved(const Size& small, const Size& large) {
  const double floor = std::max(small.curve->floor(), large.curve->floor());
  return -least(std::log(1e-3), std::log(20.0), [&](double x) {
    return -growth_after(small, large, small.curve->tokens(floor + std::exp(x))).tokens_saved;
  });
}

}  // namespace

TEST_CASE("the slope of the best size is -1/(1/aS + 1/aB + 1/aN) for any constants", "[T11]") {
  Dice dice(1);
  for (int i = 0; i < 20; ++i) {
    const Kaplan law = random_kaplan(dice);
    const double loss = dice.between(2, 3.5), step = 1e-4;
    const double rise =
        least_compute(law, loss * std::exp(step)) - least_compute(law, loss * std::exp(-step));
    CHECK(2 * step / rise == Approx(-1 / (1 / law.aS + 1 / law.aB + 1 / law.aN)).epsilon(1e-6));
  }
}

TEST_CASE("growths of random laws save as much as brute force finds", "[T11]") {
  Dice dice(2);
  for (int i = 0; i < 20; ++i) {
    const double size = std::exp(dice.between(17, 23)), factor = dice.between(1.5, 6);
    const Kaplan kaplan = random_kaplan(dice);
    const Size a = kaplan_size(size / factor, kaplan), b = kaplan_size(size, kaplan);
    const double end = kaplan.floor(size) * 1.02;
    CHECK(best_growth(a, b, end).tokens_saved == Approx(most_saved(a, b)).epsilon(1e-6));
    const Chinchilla chinchilla = random_chinchilla(dice);
    const Size c = chinchilla_size(chinchilla, size / factor),
               d = chinchilla_size(chinchilla, size);
    CHECK(best_growth(c, d, d.curve->floor() + 1e-3).tokens_saved ==
          Approx(most_saved(c, d)).epsilon(1e-6));
  }
}

TEST_CASE("under Chinchilla's law rho knows neither size nor length, and tokens are what is saved",
          "[T11]") {
  Dice dice(4);
  for (int i = 0; i < 20; ++i) {
    const Chinchilla law = random_chinchilla(dice);
    const double factor = dice.between(1.5, 8);
    for (double size : {1e7, 1e9, 1e11}) {
      const Size a = chinchilla_size(law, size / factor), b = chinchilla_size(law, size);
      const GrowthPoint growth = best_growth(a, b, b.curve->floor() + 1e-6);
      CHECK(growth.rho() == Approx(std::pow(factor, 1 / (1 + law.b))).epsilon(1e-6));
      for (double more : {2.0, 10.0, 100.0}) {
        const double tokens = more * growth.resume_tokens;
        const GrowthPath growth_path = GrowthPaths({a, b}, b.curve->loss(tokens)).best(2);
        CHECK(growth_path.saving * tokens == Approx(growth.tokens_saved).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("the best growth path of each length is the best of all choices of sizes", "[T11]") {
  Dice dice(5);
  for (int i = 0; i < 20; ++i) {
    const Chinchilla law = random_chinchilla(dice);
    Family family = {chinchilla_size(law, 1e8)};
    while (family.size() < 7)
      family.insert(family.begin(),
                    chinchilla_size(law, std::stod(family[0].name) / dice.between(1.1, 3)));
    const GrowthPaths growth_paths(family, law.loss(1e8, 2e9),
                                   {.lost_tokens = dice.between(0, 1e7)});
    double most[8] = {};
    for (unsigned chosen = 0; chosen < 64; ++chosen) {
      std::vector<std::size_t> sizes;
      for (std::size_t k = 0; k < 6; ++k)
        if (chosen >> k & 1) sizes.push_back(k);
      sizes.push_back(6);
      try {
        most[sizes.size()] = std::max(most[sizes.size()], growth_paths.through(sizes).saving);
      } catch (const stagedtrain::Error&) {  // a growth that does not pay, or comes too early
      }
    }
    for (std::size_t stages = 1; stages <= 7; ++stages) {
      most[stages] = std::max(most[stages], most[stages - 1]);
      CHECK(growth_paths.best(stages).saving == Approx(most[stages]).epsilon(1e-12));
    }
  }
}
