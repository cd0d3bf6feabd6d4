// Tests of scoring/measure.h: every stage is timed as a run would train it.
#include "scoring/measure.h"

#include <chrono>

#include "support/catch.h"
#include "support/tiny_run.h"

using namespace stagedtrain;

namespace {

double tokens_of_step(const plan::RunPlan& run, std::size_t i) {
  return static_cast<double>(run.schedule.batch.sequences * run.stages[i].model.context);
}

}  // namespace

TEST_CASE("measuring times each stage, in order, under the plan's own key") {
  const test::TinyRun tiny;
  const plan::RunPlan run = tiny.plan({"batch.micro=2"});
  std::vector<std::string> names;
  train::MeasureRequest request;
  request.steps = 4;
  request.device = {.device = "cpu", .threads = 1};
  const auto begin = std::chrono::steady_clock::now();
  const auto measured =
      train::measure(run, request, [&](const std::string& stage) { names.push_back(stage); });
  CHECK(names == std::vector<std::string>{"small", "full"});
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double timed = 0;  // two of the four steps of each stage took at least the median
  REQUIRE(measured.size() == 2);
  for (std::size_t i = 0; i < measured.size(); ++i) {
    CHECK(measured[i].key.model == run.stages[i].model);
    CHECK(measured[i].key.micro == 2);
    CHECK(measured[i].key.threads == 1);
    CHECK(measured[i].key.device == plan::device_name("cpu"));
    CHECK(measured[i].steps == 4);
    CHECK(measured[i].seconds_per_token > 0);
    timed += measured[i].seconds_per_token * 2 * tokens_of_step(run, i);
    // At least weights, gradients and both moments in float32.
    CHECK(measured[i].peak_bytes > 16 * static_cast<double>(run.stages[i].params.total));
    CHECK(measured[i].kernels == "fused");
  }
  CHECK(timed < elapsed);
}
