// The words of the progress line.
#include "record/progress_line.h"

#include <cmath>

#include "support/catch.h"
#include "support/text_file.h"
#include "support/tiny_run.h"

using namespace stagedtrain;
using namespace stagedtrain::train;

TEST_CASE("the line has stage, steps, tokens, loss, norm, rate, speed and time left") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  state::Progress at;
  at.stage = "small";
  at.stage_step = 3;
  at.tokens = 192;
  const StepNumbers numbers{1.2345, -0.52, 0.87, 1.24, 0.003};
  const std::string quiet = progress_text(plan, at, numbers, {});
  CHECK(quiet == "small 3/6  loss 1.234 (z -0.5)  norm 0.87 (z +1.2)  lr 0.003  192 tok");
  const std::string text = progress_text(plan, at, numbers, {28100, plan.flops});
  INFO(text);
  CHECK(test::contains(text, "28.1K tok/s"));
  CHECK(test::contains(text, "MiB"));
  CHECK(test::contains(text, "(z -0.5)  under 1 s left in stage, under 1 s in run  norm"));
  const auto says = [&](double seconds, const std::string& words) {
    const std::string line = progress_text(plan, at, numbers, {1, plan.flops / seconds});
    INFO(line);
    CHECK(test::contains(line, words));
  };
  // Half of the small stage is left, and all of the large one.
  says(300, "left in stage, 4 min in run");
  at.stage_step = 0;
  says(12000, "in stage, 3 h 20 min in run");
  says(190800, "in stage, 2 d 5 h in run");
}

TEST_CASE("time left follows FLOPs, so later, larger stages count as what they cost") {
  const test::TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  state::Progress at;
  CHECK(run_seconds_left(plan, at, 1) == Approx(plan.flops));
  at.stage_step = 6;
  CHECK(stage_seconds_left(plan, at, 1) == 0);
  CHECK(run_seconds_left(plan, at, 2) == Approx(plan.stages[1].flops / 2));
}

TEST_CASE("speed is what was done over the time that training took") {
  state::Progress from, to;
  CHECK(speed_between(from, to).tokens_per_second == 0);
  to.tokens = 4096;
  to.flops = 1e9;
  to.seconds = 0.5;
  CHECK(speed_between(from, to).tokens_per_second == 8192);
  CHECK(speed_between(from, to).flops_per_second == 2e9);
}

TEST_CASE("resident memory is known") { CHECK(resident_bytes() > 1 << 20); }
