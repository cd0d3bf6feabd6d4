// Runs that go on under other conditions: a removed lock, other data, other lengths; and what their
// ends say of the learning rate.
#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/tiny_state.h"
#include "text/json.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using namespace stagedtrain::test;
using train::RunResult;

TEST_CASE("a run whose lock was taken away stops at its next save") {
  const TinyRun tiny;
  const Fault fault([&](FileOperation operation, const Path& path) {
    if (operation == FileOperation::write && path.filename() == "run.jsonl")
      std::filesystem::remove(tiny / "run/lock");
    return 0;
  });
  const std::string said = refusal(ErrorKind::locked, [&] { run_in(tiny, "run"); });
  CHECK(contains(said, "lock was removed or replaced"));
  CHECK_FALSE(std::filesystem::exists(step_file(tiny, 4)));
}

TEST_CASE("token files that are replaced or overwritten during a run are seen") {
  const TinyRun tiny;
  const std::string which = GENERATE("train.bin", "validation.bin");
  const bool in_place = GENERATE(false, true);
  CAPTURE(which, in_place);
  const Path file = tiny / ("data/" + which);
  const std::string before = read_text(file);
  std::string after = before;
  for (std::size_t i = after.size() / 2; i < after.size(); ++i) after[i] = 'e';
  std::filesystem::last_write_time(file,
                                   std::filesystem::last_write_time(file) - std::chrono::hours(1));
  {
    const Fault fault([&, seen = 0](FileOperation operation, const Path& path) mutable {
      if (operation != FileOperation::write || path.filename() != "run.jsonl" || ++seen != 3)
        return 0;
      if (!in_place) std::filesystem::remove(file);
      write_text(file, after);
      return 0;
    });
    const std::string said = refusal(ErrorKind::input, [&] { run_in(tiny, "run"); });
    CHECK(contains(said, which));
    CHECK(contains(said, "saved "));
  }
  CHECK(contains(refusal(ErrorKind::input, [&] { run_in(tiny, "run"); }), which));
  write_text(file, before);
  CHECK(run_in(tiny, "run").done);
}

TEST_CASE("the same data under another path goes on, other data does not") {
  const TinyRun tiny;
  run_in(tiny, "whole");
  run_until_line(tiny, 8);
  std::filesystem::rename(tiny / "data", tiny / "moved");
  const Edits moved = {"data.train=" + (tiny / "moved/train.bin").string(),
                       "data.validation=" + (tiny / "moved/validation.bin").string()};
  SECTION("the same") {
    CHECK(run_in(tiny, "run", moved).done);
    CHECK(same_end(tiny));
    CHECK(contains(read_text(tiny / "run/schedule.yaml"), "moved/train.bin"));
  }
  SECTION("another validation file") {
    std::filesystem::copy_file(tiny / "moved/train.bin", tiny / "moved/validation.bin",
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(contains(refusal(ErrorKind::input, [&] { run_in(tiny, "run", moved); }),
                   "not the tokens that the run was measured on"));
  }
}

TEST_CASE("a run may go on with smaller micro-batches") {
  const TinyRun tiny;
  run_in(tiny, "whole");
  run_until_line(tiny, 8);
  const RunResult result = run_in(tiny, "run", {"batch.micro=1"});
  CHECK(result.done);
  CHECK(result.stages[1].loss ==
        Approx(runlog::read_log(tiny / "whole/run.jsonl", "w").end->loss).epsilon(1e-3));
}

TEST_CASE("an end is decayed only if the rate had come down") {
  const TinyRun tiny;
  const auto decayed = [&](const Edits& edits) {
    std::filesystem::remove_all(tiny / "run");
    run_in(tiny, "run", edits);
    const bool end = events(tiny, "end")[0]["decayed"];
    CHECK(end == tiny.plan(edits).decayed);
    return end;
  };
  CHECK(decayed({}));
  CHECK(decayed({"lr.curve=linear"}));
  CHECK(decayed({"lr.curve=cosine"}));
  CHECK(decayed({"lr.floor=0.5"}));
  CHECK_FALSE(decayed({"lr.curve=constant"}));
  CHECK_FALSE(decayed({"lr.warmup=12"}));
  CHECK_FALSE(decayed({"lr.warmup=12", "lr.curve=linear"}));
  CHECK_FALSE(decayed({"lr.warmup=11", "lr.curve=cosine"}));
  CHECK_FALSE(decayed({"lr.warmup=100%"}));
  CHECK_FALSE(decayed({"lr.decay=0"}));
  CHECK_FALSE(decayed({"lr.decay=1"}));
  CHECK_FALSE(decayed({"lr.floor=1"}));
}

TEST_CASE("planned anew to fewer steps than were made, an end is not decayed") {
  const TinyRun tiny;
  const Edits longer = {"stages.small.for=20"};
  run_until_line(tiny, 14, longer);  // beyond the 8 steps that are planned then
  const RunResult result = train::run(tiny.plan({"stages.small.for=4", "stages.full.for=1"}),
                                      {.out = tiny / "run", .replan = true});
  CHECK(result.done);
  REQUIRE(events(tiny, "end").size() == 1);
  CHECK_FALSE(events(tiny, "end")[0]["decayed"]);
}

TEST_CASE("where `until` ends a stage early, a decay in % is of the run that is") {
  const TinyRun tiny;
  run_in(
      tiny, "run",
      {"stages.small.until.loss=100", "stages.small.for=20", "stages.full.for=17", "lr.decay=50%"});
  // 3 steps and 17: the decay takes 10 of 20, not 18 of 37.
  for (const Json& step : events(tiny, "step"))
    if (step["step"] == 10 || step["step"] == 11) CHECK(step["lr"].get<double>() == Approx(0.01));
  CHECK(events(tiny, "step").back()["lr"].get<double>() == Approx(0.001));
  CHECK(events(tiny, "end")[0]["decayed"]);
}

TEST_CASE("a run that has ended is planned anew only by --extend, which trains its last stage on") {
  const TinyRun tiny;
  run_in(tiny, "run");
  const std::string recorded = read_text(tiny / "run/schedule.yaml");
  const plan::RunPlan longer = tiny.plan({"stages.full.for=12"});
  CHECK(contains(
      refusal(ErrorKind::usage, [&] { train::run(longer, {.out = tiny / "run", .replan = true}); }),
      "--extend"));
  CHECK(read_text(tiny / "run/schedule.yaml") == recorded);
  CHECK(run_in(tiny, "run").done);
  const std::string end = read_text(tiny / "run/stages/full.h5");
  const RunResult result = train::run(longer, {.out = tiny / "run", .extend = true});
  CHECK(result.done);
  CHECK(result.stages[1].progress.step == 18);
  CHECK(read_text(tiny / "run/stages/full-ended-at-12.h5") == end);
  CHECK(events(tiny, "end").back()["decayed"]);
  CHECK(run_in(tiny, "run", {"stages.full.for=12"}).done);
}

TEST_CASE("an extension that was stopped goes on without being asked for again") {
  const TinyRun tiny;
  run_in(tiny, "run");
  CHECK(contains(refusal(ErrorKind::usage,
                         [&] {
                           train::run(tiny.plan({"stages.full.for=5"}),
                                      {.out = tiny / "run", .extend = true});
                         }),
                 "stage full has trained 6 steps already, and the schedule asks for 5"));
  const plan::RunPlan longer = tiny.plan({"stages.full.for=12"});
  {
    const Fault fault([](FileOperation operation, const Path& path) {
      if (operation == FileOperation::write && path.filename() == "run.jsonl")
        reset_stop_request(15);
      return 0;
    });
    refusal(ErrorKind::interrupted,
            [&] { train::run(longer, {.out = tiny / "run", .extend = true}); });
  }
  reset_stop_request();
  CHECK(train::run(longer, {.out = tiny / "run"}).stages[1].progress.step == 18);
}

TEST_CASE("a lost or foreign branch is trained again") {
  const TinyRun tiny;
  const auto plans = plan::resolve_scratch(tiny.plan());
  const std::string how = GENERATE("gone", "damaged", "foreign");
  CAPTURE(how);
  const Path branch = tiny / "branch.h5";
  if (how == "damaged") write_text(branch, "bad");
  if (how == "foreign") state::save(branch, tiny_state());
  const RunResult result = train::run(plans[1], {.out = tiny / "long", .branch_of = branch});
  CHECK(result.done);
  CHECK(result.stages[0].progress.step == 12);
}
