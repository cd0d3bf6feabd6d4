// The folder of a run: who may use it, and what it goes on from.
#include "runfolder/run_folder.h"

#include "arch/cost.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "support/tiny_state.h"

using namespace stagedtrain;
using namespace stagedtrain::train;
using test::contains;

namespace {

using Mode = RunFolder::Mode;

// A checkpoint at this place of a run, as that run would have written it.
void save_at(const test::TinyRun& tiny, const Path& file, std::int64_t stage, std::int64_t step,
             bool done) {
  const plan::RunPlan plan = tiny.plan();
  const plan::StagePlan& of = plan.stages[static_cast<std::size_t>(stage)];
  state::TrainingState state = state::fresh(of.model, 3);
  state.progress = {.step = step,
                    .tokens = step * 64,
                    .flops = static_cast<double>(step * 64) * arch::flops_per_token(of.model),
                    .stage = of.name,
                    .stage_index = stage,
                    .stage_step = step - of.first_step,
                    .stage_done = done,
                    .total_steps = 12};
  state.data = {.seed = 3, .index = step * 4};
  if (of.growth) state.lineage.push_back({.model = of.growth->from});
  state.run.schedule = plan::resolved_yaml(plan);
  state::save(file, state);
}

std::string refused(const test::TinyRun& tiny, const std::vector<std::string>& edits, Mode mode) {
  return test::refusal(ErrorKind::usage, [&] { RunFolder(tiny / "run", tiny.plan(edits), mode); });
}

std::vector<std::string> notes(const test::TinyRun& tiny, const std::vector<std::string>& edits,
                               Mode mode) {
  return RunFolder(tiny / "run", tiny.plan(edits), mode).notes();
}

}  // namespace

TEST_CASE("a plan made anew may change lengths, and nothing that has begun") {
  const test::TinyRun tiny;
  const Path out = tiny / "run";
  { RunFolder(out, tiny.plan(), Mode::fresh); }
  const std::vector<std::string> longer = {"stages.small.for=9", "stages.full.for=4"};
  const std::string go_on = refused(tiny, longer, Mode::go_on);
  CHECK(contains(go_on, "stages.small.for: 9 steps, the run has 6 steps"));
  CHECK(contains(go_on, "stages.full.for: 4 steps, the run has 6 steps"));
  CHECK(contains(go_on, "--replan"));
  notes(tiny, longer, Mode::replan);
  CHECK(test::read_text(out / "schedule.yaml") == plan::resolved_yaml(tiny.plan(longer)));
  CHECK(contains(refused(tiny, {"stages.small.for=9", "lr.peak=0.02"}, Mode::replan), "lr.peak"));
}

TEST_CASE(
    "only a stage that has not begun may change its keys, only one that has not ended its "
    "length") {
  const test::TinyRun tiny;
  { const RunFolder folder(tiny / "run", tiny.plan(), Mode::fresh); }
  const std::vector<std::string> other_growth = {
      "stages.full.grow=[{operator: depth, layers: 3, new_layers: zero_output}]", "model.layers=3",
      "stages.small.model={layers: 1}"};
  SECTION("nothing has begun, so the first stage may change too") {
    notes(tiny, {"stages.small.lr.peak=0.02"}, Mode::replan);
  }
  SECTION("the first stage has begun") {
    save_at(tiny, tiny / "run/checkpoints/step-00000004.h5", 0, 4, false);
    CHECK(contains(refused(tiny, {"stages.small.lr.peak=0.02"}, Mode::replan), "stages.small.lr"));
    CHECK(contains(refused(tiny,
                           {"stages.small.model={layers: 2, width: 16}",
                            "stages.full.grow=[{operator: depth, layers: 3}]", "model.layers=3"},
                           Mode::replan),
                   "model"));
    notes(tiny, {"stages.small.for=9"}, Mode::replan);
    CHECK_FALSE(contains(refused(tiny, {"stages.small.for=9", "lr.peak=1"}, Mode::replan),
                         "stages.small.for"));
    std::vector<std::string> edits = other_growth;
    edits.push_back("stages.small.for=9");
    notes(tiny, edits, Mode::replan);
  }
  SECTION("the first stage has ended") {
    save_at(tiny, tiny / "run/stages/small.h5", 0, 6, true);
    CHECK(contains(refused(tiny, {"stages.small.for=9"}, Mode::replan), "stages.small.for"));
    notes(tiny, other_growth, Mode::replan);
  }
}

TEST_CASE("a run that has ended is not planned anew; only its last stage can be made longer") {
  const test::TinyRun tiny;
  { const RunFolder folder(tiny / "run", tiny.plan(), Mode::fresh); }
  CHECK(contains(refused(tiny, {"stages.full.for=9"}, Mode::extend), "has not ended"));
  save_at(tiny, tiny / "run/stages/full.h5", 1, 12, true);
  const std::string recorded = test::read_text(tiny / "run/schedule.yaml");
  CHECK(contains(refused(tiny, {"stages.full.for=9"}, Mode::replan), "has ended"));
  CHECK(contains(refused(tiny, {"stages.small.for=9"}, Mode::extend), "stages.small.for"));
  CHECK(test::read_text(tiny / "run/schedule.yaml") == recorded);
  notes(tiny, {}, Mode::replan);
  notes(tiny, {"stages.full.for=9"}, Mode::extend);
  notes(tiny, {"stages.full.for=9"}, Mode::go_on);
  CHECK(contains(refused(tiny, {}, Mode::go_on), "stages.full.for: 6 steps, the run has 9 steps"));
}

TEST_CASE("a folder is made once, taken up again, and refused to another schedule") {
  const test::TinyRun tiny;
  const Path out = tiny / "run";
  { RunFolder(out, tiny.plan(), Mode::fresh); }
  CHECK(notes(tiny, {}, Mode::go_on).empty());
  CHECK(notes(tiny, {"evaluate.every=1", "checkpoint.keep=5"}, Mode::go_on).empty());
  const std::string other = refused(tiny, {"lr.peak=0.02"}, Mode::go_on);
  CHECK(contains(other, "another schedule"));
  CHECK(contains(other, "lr.peak: 0.02, the run has 0.01"));
  const std::string replanned = refused(tiny, {"optimizer.name=lion"}, Mode::replan);
  CHECK(contains(replanned,
                 "--replan: " + out.string() + " holds a run in which this can no longer"));
  CHECK_FALSE(contains(replanned, "--replan resumes"));
  CHECK(contains(refused(tiny, {}, Mode::fresh), "holds a run already"));
}

TEST_CASE("a changed time budget is refused with what to do instead") {
  const test::TinyRun tiny;
  const Path out = tiny / "run";
  { RunFolder(out, tiny.plan({"budget={time: 3h}"}), Mode::fresh); }
  const auto mode = GENERATE(Mode::go_on, Mode::replan);
  const std::string longer = refused(tiny, {"budget={time: 3h30m}"}, mode);
  CHECK(contains(longer, "budget.time: 12600s, the run has 10800s"));
  CHECK(contains(longer, "give budget.time: 10800s again"));
  CHECK(contains(longer, "--extend trains its last stage further"));
  std::filesystem::remove_all(out);
  { RunFolder(out, tiny.plan(), Mode::fresh); }
  CHECK(contains(refused(tiny, {"budget={time: 3h}"}, mode), "leave budget out"));
}

TEST_CASE("a recorded schedule that was cut is made again") {
  const test::TinyRun tiny;
  const Path file = tiny / "run/schedule.yaml";
  { RunFolder(tiny / "run", tiny.plan(), Mode::fresh); }
  const std::string whole = test::read_text(file);
  for (const std::string& cut :
       {std::string(), whole.substr(0, whole.size() / 2), std::string(9, 0)}) {
    test::write_text(file, cut);
    const auto said = notes(tiny, {}, Mode::go_on);
    REQUIRE(said.size() == 1);
    CHECK(contains(said[0], "set aside as schedule.yaml.damaged"));
    CHECK(test::read_text(file) == whole);
    CHECK(notes(tiny, {}, Mode::go_on).empty());
  }
}

TEST_CASE("where the data lies and how it goes through the model may differ, and is said") {
  const test::TinyRun tiny;
  { RunFolder(tiny / "run", tiny.plan(), Mode::fresh); }
  const auto micro = notes(tiny, {"batch.micro=2"}, Mode::go_on);
  REQUIRE(micro.size() == 1);
  CHECK(contains(micro[0], "batch.micro is 2 now, 4 before: the results are the same except for"));
  const auto recompute = notes(tiny, {"batch.recompute=blocks"}, Mode::go_on);
  REQUIRE(recompute.size() == 1);
  CHECK(contains(recompute[0], "batch.recompute is blocks now, none before"));
  std::filesystem::copy(tiny / "data", tiny / "moved");
  const auto data = notes(tiny, {"data.train=" + (tiny / "moved/train.bin").string()}, Mode::go_on);
  REQUIRE(data.size() == 1);
  CHECK(contains(data[0], "data.train is "));
}

TEST_CASE("a folder in use is refused, and a file is no folder") {
  const test::TinyRun tiny;
  const RunFolder first(tiny / "run", tiny.plan(), Mode::go_on);
  CHECK(contains(
      test::refusal(ErrorKind::locked, [&] { RunFolder(tiny / "run", tiny.plan(), Mode::go_on); }),
      "another run is using this folder"));
  test::refusal(ErrorKind::usage, [&] { RunFolder(tiny / "text.txt", tiny.plan(), Mode::go_on); });
}

TEST_CASE("a run whose lock file was removed notices, whether or not another took its place") {
  const test::TinyRun tiny;
  const RunFolder first(tiny / "run", tiny.plan(), Mode::go_on);
  CHECK_NOTHROW(first.check_lock());
  std::filesystem::remove(tiny / "run/lock");
  test::refusal(ErrorKind::locked, [&] { first.check_lock(); });
  const RunFolder second(tiny / "run", tiny.plan(), Mode::go_on);
  CHECK_NOTHROW(second.check_lock());
  test::refusal(ErrorKind::locked, [&] { first.check_lock(); });
}

TEST_CASE("the furthest checkpoint comes first, bad ones are named, other files are left alone") {
  const test::TinyRun tiny;
  const RunFolder folder(tiny / "run", tiny.plan(), Mode::go_on);
  std::vector<Unusable> damaged;
  CHECK(folder.candidates(damaged).empty());
  save_at(tiny, folder.step_file(4), 0, 4, false);
  save_at(tiny, folder.step_file(5), 0, 5, false);
  save_at(tiny, folder.stage_file("small"), 0, 6, true);
  save_at(tiny, folder.step_file(9), 1, 9, false);
  save_at(tiny, folder.step_file(10).parent_path() / "my-backup.h5", 1, 10, false);
  save_at(tiny, folder.step_file(10).parent_path() / "step-10.h5", 1, 10, false);
  save_at(tiny, folder.stage_file("other"), 1, 11, false);
  test::write_text(folder.step_file(12), "not a checkpoint");
  const std::vector<Path> expected = {folder.step_file(9), folder.stage_file("small"),
                                      folder.step_file(5), folder.step_file(4)};
  std::vector<Path> found;
  for (const Candidate& one : folder.candidates(damaged)) found.push_back(one.file);
  CHECK(found == expected);
  REQUIRE(damaged.size() == 1);
  CHECK(damaged[0].file == folder.step_file(12));
  CHECK(contains(damaged[0].why, "step-00000012.h5"));
}

TEST_CASE("only the newest good step files are kept, and what is not ours stays") {
  const auto no_other = [](std::int64_t) { return false; };
  const test::TinyRun tiny;
  const RunFolder folder(tiny / "run", tiny.plan(), Mode::go_on);
  const auto there = [&](const Path& file) { return std::filesystem::exists(file); };
  const Path checkpoints = tiny / "run/checkpoints";
  const std::vector<Path> others = {checkpoints / "my-backup.h5", checkpoints / "zz-backup.h5",
                                    checkpoints / "step-1.h5", checkpoints / "step-00000003.h5.old",
                                    folder.stage_file("small")};
  for (const Path& other : others) test::write_text(other, "x");
  // Eight digits and nine: by number, not by name.
  for (std::int64_t step : {2, 4, 99999998, 99999999, 100000000, 200000000})
    test::write_text(folder.step_file(step), "x");
  SECTION("files that nobody verified do not count, and newer ones stay") {
    folder.prune(2, {folder.step_file(4), folder.step_file(99999999)}, no_other);
    CHECK_FALSE(there(folder.step_file(2)));
    CHECK(there(folder.step_file(4)));
    CHECK(there(folder.step_file(99999998)));
    CHECK(there(folder.step_file(200000000)));
  }
  SECTION("enough good ones push out all that are older") {
    folder.prune(1, {folder.step_file(4), folder.step_file(99999999), folder.step_file(100000000)},
                 no_other);
    for (std::int64_t step : {2, 4, 99999998, 99999999}) CHECK_FALSE(there(folder.step_file(step)));
    CHECK(there(folder.step_file(100000000)));
    CHECK(there(folder.step_file(200000000)));
  }
  SECTION("fewer good ones than are kept push out nothing") {
    folder.prune(2, {folder.step_file(200000000)}, no_other);
    CHECK(there(folder.step_file(2)));
  }
  for (const Path& other : others) CHECK(there(other));
}

TEST_CASE("a file that is set aside never replaces one that was") {
  const test::TinyRun tiny;
  const RunFolder folder(tiny / "run", tiny.plan(), Mode::go_on);
  const Path file = folder.step_file(4);
  for (const char* name : {"step-00000004.h5.damaged", "step-00000004.h5.damaged-2"}) {
    test::write_text(file, name);
    const Path aside = folder.set_aside(file, "damaged");
    CHECK(aside.filename() == name);
    CHECK(test::read_text(aside) == name);
    CHECK_FALSE(std::filesystem::exists(file));
  }
}

TEST_CASE("what a crash left half written is cleared away") {
  const test::TinyRun tiny;
  const Path left = tiny / "run/checkpoints/step-00000004.h5.tmp-1-0";
  { RunFolder(tiny / "run", tiny.plan(), Mode::go_on); }
  test::write_text(left, "half");
  const RunFolder again(tiny / "run", tiny.plan(), Mode::go_on);
  CHECK_FALSE(std::filesystem::exists(left));
}
