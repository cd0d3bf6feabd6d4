// The multi-power law against its reference code, run on the published parameters.
#include "law/multi_power.h"

#include "support/catch.h"

using namespace stagedtrain::law;

namespace {

constexpr std::size_t kWarmup = 2160, kSteps = 24000, kStable = 20000;

// Warm-up from 0, both ends included, then constant or a linear decay to a tenth.
std::vector<double> rates(bool decays) {
  std::vector<double> rates;
  for (std::size_t s = 0; s < kSteps; ++s) {
    const double t = static_cast<double>(s);
    double rate = s < kWarmup ? 3e-4 * t / (kWarmup - 1) : 3e-4;
    if (decays && s >= kStable) rate = 3e-4 - 2.7e-4 * (t - (kStable - 1)) / (kSteps - kStable);
    rates.push_back(rate);
  }
  return rates;
}

}  // namespace

TEST_CASE("twelve losses of three sizes are the reference code's", "[T8]") {
  struct {
    MultiPower law;
    double constant_20k, constant_24k, decay_22k, decay_24k;
  } rows[] = {
      {{3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257},
       3.36590796,
       3.34584531,
       3.31341330,
       3.26536915},
      {{2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644},
       3.05573310,
       3.03305054,
       2.99242043,
       2.93410210},
      {{2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457},
       2.84123144,
       2.81684012,
       2.76766836,
       2.69932611},
  };
  for (const auto& row : rows) {
    const std::vector<double> constant =
        row.law.losses(rates(false), std::vector<std::size_t>{19999, 23999});
    const std::vector<double> decay =
        row.law.losses(rates(true), std::vector<std::size_t>{21999, 23999});
    CHECK(constant[0] == Approx(row.constant_20k).margin(1e-8));
    CHECK(constant[1] == Approx(row.constant_24k).margin(1e-8));
    CHECK(decay[0] == Approx(row.decay_22k).margin(1e-8));
    CHECK(decay[1] == Approx(row.decay_24k).margin(1e-8));
  }
}

TEST_CASE("a constant rate from the first step has no drop") {
  const MultiPower law{2, 3, 0.5, 100, 2, 0.6, 0.6};
  const std::vector<double> losses =
      law.losses(std::vector<double>(100, 0.01), std::vector<std::size_t>{0, 99});
  CHECK(losses[0] == Approx(2 + 3 / 0.1));
  CHECK(losses[1] == Approx(2 + 3.0));
}
