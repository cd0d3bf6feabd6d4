// What a decay gains, and how sure that is for a decay of another length than the law's runs had.
#include "forecast/annealed_end.h"

#include <cmath>

#include "forecast/forecast.h"
#include "forecast/forecast_warnings.h"
#include "support/catch.h"
#include "support/schedules.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

PlanningLaw law_of_decays(double least, double most) {
  PlanningLaw law;
  law.annealing = [](double) { return 1e-4; };
  law.least_decay = least;
  law.most_decay = most;
  return law;
}

}  // namespace

TEST_CASE("a gain is less sure the further the decay is from those that were trained") {
  const PlanningLaw law = law_of_decays(100, 200);
  for (const double within : {100.0, 150.0, 200.0})
    CHECK(gain_error({.length = within}, law) == kGainError);
  CHECK(decay_stretch({.length = 25}, law) == 4);
  CHECK(decay_stretch({.length = 800}, law) == 4);
  CHECK(gain_error({.length = 200 * std::exp(1.0)}, law) == Approx(2 * kGainError));
  CHECK(decay_stretch({.length = 800}, law_of_decays(0, 0)) == 1);  // unknown
}

TEST_CASE("a plan whose decay is far from those that were trained is told so") {
  const RunPlan plan = resolve(test::two_stages());
  const double lost = decay_effect(plan).value().lost_tokens;
  CHECK(other_decay(law_of_decays(lost, lost), plan).empty());
  CHECK(other_decay(law_of_decays(0, 0), plan).empty());
  CHECK(contains(other_decay(law_of_decays(lost / 6, lost / 3), plan), "3 times longer"));
  CHECK(contains(other_decay(law_of_decays(3 * lost, 6 * lost), plan), "3 times shorter"));
  PlanningLaw no_decay = law_of_decays(lost / 6, lost / 3);
  no_decay.annealing = nullptr;
  CHECK(other_decay(no_decay, plan).empty());
}

TEST_CASE("a higher relaxation lets a decay have more of its effect") {
  const RunPlan plan = resolve(test::two_stages());
  CHECK(decay_effect(plan, {.relaxation = 0.01})->area <
        decay_effect(plan, {.relaxation = 0.1})->area);
  CHECK(decay_effect(plan, {.relaxation = 0.1})->area < 1);
  CHECK(decay_effect(plan, {.relaxation = 0.01})->lost_tokens ==
        decay_effect(plan, {.relaxation = 0.1})->lost_tokens);
}
