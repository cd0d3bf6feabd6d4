// Runs with a time budget on the real clock.
#include "runlog/run_log.h"
#include "support/catch.h"
#include "text/json.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using namespace stagedtrain::test;

namespace {

const Edits kHalfASecond = {"stages.full.for=1000000 steps", "budget={time: 0.5s}",
                            "lr.decay=20%", "checkpoint.every=0", "log.every=1000"};

double last(const TinyRun& tiny, const char* event, const char* key) {
  return events(tiny, event).back()[key].get<double>();
}

}  // namespace

TEST_CASE("a run with a time budget ends decayed, long before its planned end") {
  const TinyRun tiny;
  CHECK(run_in(tiny, "run", kHalfASecond).done);
  const Json decided = events(tiny, "until").at(0);
  CHECK(decided["rule"] == "time");
  const double steps = last(tiny, "end", "step");
  CHECK(steps == decided["total_steps"].get<double>());
  CHECK(steps < 100000);
  CHECK(decided["step"].get<double>() == Approx(0.8 * steps).margin(1));
  CHECK(events(tiny, "end").back()["decayed"]);

  SECTION("resumed after the decision, it takes the same steps to the same bits") {
    const double loss = last(tiny, "end", "loss");
    std::filesystem::remove(tiny / "run/stages/full.h5");
    CHECK(run_in(tiny, "run", kHalfASecond).done);
    CHECK(last(tiny, "resume", "step") == decided["step"].get<double>());
    CHECK(last(tiny, "end", "step") == steps);
    CHECK(last(tiny, "end", "loss") == loss);
  }
  SECTION("run again after its end, it has nothing to do") {
    CHECK(run_in(tiny, "run", kHalfASecond).done);
    CHECK(events(tiny, "end").size() == 1);
  }
}
