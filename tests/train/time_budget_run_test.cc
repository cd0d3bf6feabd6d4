// Runs with a time budget on the real clock.
#include "lengths/time_budget.h"
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
  // 20% decay; less, but at least half of that, if the machine has just become slower. The exact
  // rule is tested on a made-up clock (lengths/time_budget_test.cc).
  CHECK(decided["step"].get<double>() >= 0.8 * steps - 1);
  CHECK(decided["step"].get<double>() <= 0.9 * steps + 1);
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

TEST_CASE("a run of one stage trains for its time, too") {
  const TinyRun tiny;
  const Edits one = {"stages=[{name: whole, for: 1000000 steps}]", "budget={time: 0.5s}",
                     std::string("lr.curve=") + GENERATE("wsd", "cosine", "triangle"),
                     "checkpoint.every=0", "log.every=1000"};
  CHECK(run_in(tiny, "run", one).done);
  CHECK(last(tiny, "end", "step") > plan::TimeBudget::kTimedSteps);
  CHECK(last(tiny, "end", "step") < 100000);
  CHECK(events(tiny, "end").back()["decayed"]);
}

TEST_CASE("--extend goes on after a time budget has ended a run") {
  const TinyRun tiny;
  CHECK(run_in(tiny, "run", kHalfASecond).done);
  const double ended = last(tiny, "end", "step");
  Edits longer = kHalfASecond;
  longer[0] = "stages.full.for=1000001 steps";
  CHECK(train::run(tiny.plan(longer), {.out = tiny / "run", .extend = true}).done);
  CHECK(last(tiny, "end", "step") > ended);
  CHECK(events(tiny, "end").back()["decayed"]);
}
