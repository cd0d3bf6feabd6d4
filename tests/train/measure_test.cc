// Tests of train/measure.h: every stage is timed as a run would train it.
#include "train/measure.h"

#include <cmath>

#include "support/catch.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

TEST_CASE("measuring times each stage, in order, under the plan's own key") {
  const test::TinyRun tiny;
  const plan::RunPlan run = tiny.plan({"batch.micro=2"});
  std::vector<std::string> told;
  train::MeasureRequest request;
  request.steps = 4;
  request.device = {.device = "cpu", .threads = 1};
  const auto measured =
      train::measure(run, request, [&](const std::string& stage) { told.push_back(stage); });
  CHECK(told == std::vector<std::string>{"small", "full"});
  REQUIRE(measured.size() == 2);
  for (std::size_t i = 0; i < measured.size(); ++i) {
    CHECK(measured[i].key.model == run.stages[i].model);
    CHECK(measured[i].key.micro == 2);
    CHECK(measured[i].key.threads == 1);
    CHECK(measured[i].key.device == plan::device_name("cpu"));
    CHECK(measured[i].steps == 4);
    CHECK(measured[i].seconds_per_token > 0);
    CHECK(measured[i].peak_bytes > 1e6);
    CHECK(measured[i].kernels == "fused");
  }
}
