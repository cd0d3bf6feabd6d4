// Closed sums over steps against adding up step by step, for random ramps.
#include "plan/step_sums.h"

#include "arch/cost.h"
#include "base/rng.h"
#include "support/catch.h"
#include "support/schedules.h"

using namespace stagedtrain;
using plan::StepSums;

namespace {

struct Case {
  schedule::Schedule schedule;
  arch::ModelConfig model;
};

Case random_case(std::uint64_t number) {
  const CounterRng rng(number, 7);
  const std::int64_t contexts[] = {1, 7, 12, 30, 64, 97, 128, 360};
  Case made{test::two_stages(), {}};
  made.schedule.batch.sequences = 1 + static_cast<std::int64_t>(rng.below(0, 40));
  made.model = arch::resolved(made.schedule.model);
  made.model.context = contexts[rng.below(1, 8)];
  const auto ramp = [&](std::uint64_t at, std::int64_t most) {
    return schedule::RampSpec{1 + static_cast<std::int64_t>(rng.below(at, most)),
                              static_cast<std::int64_t>(rng.below(at + 1, 60))};
  };
  if (rng.below(2, 3) > 0) made.schedule.batch.size_warmup = ramp(3, made.schedule.batch.sequences);
  // The ramp may begin above a stage's context, which may be shorter than the final model's.
  if (rng.below(5, 3) > 0) made.schedule.batch.length_warmup = ramp(6, made.model.context + 5);
  return made;
}

// The largest divisor that the ramp allows, by trying them all.
std::int64_t slow_length(const Case& c, std::int64_t step) {
  const auto& ramp = c.schedule.batch.length_warmup;
  if (!ramp || step >= ramp->over) return c.model.context;
  std::int64_t length = std::min(
      c.model.context, ramp->start + (c.model.context - ramp->start) * step / ramp->over);
  while (c.model.context % length != 0) --length;
  return length;
}

}  // namespace

TEST_CASE("sums over steps are those of the single steps") {
  for (std::uint64_t number = 0; number < 150; ++number) {
    const Case c = random_case(number);
    const StepSums sums(c.schedule, c.model);
    std::int64_t tokens = 0;
    double flops = 0;
    for (std::int64_t step = 0; step < 90; ++step) {
      const std::int64_t length = plan::length_at(c.schedule, c.model, step);
      REQUIRE(length == slow_length(c, step));
      const std::int64_t here = plan::tokens_at(c.schedule, c.model, step);
      REQUIRE(here == plan::sequences_at(c.schedule, step) * c.model.context);
      REQUIRE(sums.tokens(step, step + 1) == here);
      REQUIRE(sums.flops(step, step + 1) ==
              Approx(static_cast<double>(here) * arch::flops_per_token(c.model, length)));
      tokens += here;
      flops += static_cast<double>(here) * arch::flops_per_token(c.model, length);
      REQUIRE(sums.tokens(0, step + 1) == tokens);
      REQUIRE(sums.flops(0, step + 1) == Approx(flops));
    }
  }
}

TEST_CASE("the fewest steps that hold an amount are found") {
  for (std::uint64_t number = 0; number < 150; ++number) {
    const Case c = random_case(number);
    const StepSums sums(c.schedule, c.model);
    const CounterRng rng(number, 8);
    for (std::uint64_t i = 0; i < 10; ++i) {
      const auto first = static_cast<std::int64_t>(rng.below(2 * i, 70));
      const auto amount = static_cast<double>(1 + rng.below(2 * i + 1, 100000));
      const auto steps = static_cast<std::int64_t>(sums.steps_for_tokens(first, amount));
      REQUIRE(static_cast<double>(sums.tokens(first, first + steps)) >= amount);
      REQUIRE(static_cast<double>(sums.tokens(first, first + steps - 1)) < amount);
      const double each = sums.flops(first, first + 3);
      REQUIRE(sums.steps_for_flops(first, each) == 3);
      REQUIRE(sums.steps_for_flops(first, each * 1.0001) == 4);
      const std::int64_t back = sums.steps_before(0, first, amount);
      REQUIRE((back == first || static_cast<double>(sums.tokens(first - back, first)) >= amount));
      REQUIRE((back == 0 || static_cast<double>(sums.tokens(first - back + 1, first)) < amount));
    }
  }
}

TEST_CASE("a ramp of a million steps to a prime context costs nothing") {
  schedule::Schedule s = test::two_stages();
  s.model.context = 16777213;
  s.batch.sequences = 16;
  s.batch.size_warmup = {1, 1000000};
  s.batch.length_warmup = {1, 1000000};
  const arch::ModelConfig model = arch::resolved(s.model);
  const StepSums sums(s, model);
  // The line from 1 to 16, rounded down: 1 for the first fifteenth, 2 for the second, ...
  CHECK(sums.tokens(0, 1000000) / model.context > 7900000);
  CHECK(sums.tokens(0, 1000000) / model.context < 8000100);
  CHECK(sums.steps_for_tokens(0, 1e18) > 1000000);
  CHECK(plan::length_at(s, model, 999999) == 1);
  CHECK(plan::length_at(s, model, 1000000) == 16777213);
}
