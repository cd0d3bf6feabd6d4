// The model FLOPs utilisation in the log of a run.
#include "cost/measurements.h"
#include "faulty_run.h"
#include "support/catch.h"
#include "text/json.h"

using namespace stagedtrain;

TEST_CASE("steps are logged with the share of the machine's peak that they reach") {
  const test::TinyRun tiny;
  const std::string device = plan::device_name("cpu");
  const test::Edits edits =
      GENERATE_COPY(test::Edits{"machine.flops=1e12"},
                    test::Edits{"machine.flops=1e12", "machine.device='" + device + "'"});
  test::run_in(tiny, "run", edits);
  const std::vector<Json> steps = test::events(tiny, "step");
  REQUIRE(steps.size() == 12);
  for (const Json& step : steps) {
    const double mfu = step.at("mfu").get<double>();
    CHECK(mfu > 0);
    CHECK(mfu == Approx(step.at("flops_per_second").get<double>() / 1e12));
  }
}

TEST_CASE("without a peak of this machine no utilisation is logged") {
  const test::TinyRun tiny;
  const test::Edits edits = GENERATE(test::Edits{}, test::Edits{"machine.utilisation=0.5"},
                                     test::Edits{"machine={flops: 1e12, device: other hardware}"});
  test::run_in(tiny, "run", edits);
  for (const Json& step : test::events(tiny, "step")) CHECK_FALSE(step.contains("mfu"));
}
