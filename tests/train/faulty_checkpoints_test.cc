// Runs whose folder holds damaged and foreign checkpoints, and states that are not finite.
#include <limits>
#include <set>

#include "replicas/device_options.h"
#include "runfolder/checkpoint_saver.h"
#include "support/catch.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using namespace stagedtrain::test;
using train::RunResult;

TEST_CASE("what is saved after damaged checkpoints of later steps survives") {
  const TinyRun tiny;
  const Edits edits = {"stages.full.for=160", "checkpoint={every: 50 steps, keep: 20}"};
  run_in(tiny, "run", edits);  // 50, 100, 150, the ends
  std::filesystem::copy_file(step_file(tiny, 150), step_file(tiny, 132));
  std::filesystem::remove(step_file(tiny, 150));
  std::filesystem::remove(tiny / "run/stages/full.h5");
  for (int step : {100, 132}) flip_a_byte(step_file(tiny, step));
  write_text(tiny / "run/checkpoints/my-backup.h5", "mine");
  write_text(tiny / "run/checkpoints/zz-backup.h5", "mine");
  // Killed at step 57: saves of 52, 54 and 56 went before.
  Edits again = {"stages.full.for=160", "checkpoint={every: 2 steps, keep: 2}"};
  const Fault fault([](FileOperation operation, const Path& path) {
    if (operation == FileOperation::rename && contains(path.string(), "step-00000058")) return EIO;
    return 0;
  });
  refusal(ErrorKind::resource, [&] { run_in(tiny, "run", again); });
  CHECK(std::filesystem::exists(step_file(tiny, 54)));
  CHECK(std::filesystem::exists(step_file(tiny, 56)));
  CHECK_FALSE(std::filesystem::exists(step_file(tiny, 52)));
  for (int step : {100, 132}) {
    CHECK_FALSE(std::filesystem::exists(step_file(tiny, step)));
    CHECK(std::filesystem::exists(step_file(tiny, step).string() + ".damaged"));
  }
  CHECK(std::filesystem::exists(tiny / "run/checkpoints/my-backup.h5"));
  CHECK(std::filesystem::exists(tiny / "run/checkpoints/zz-backup.h5"));
}

TEST_CASE("damaged checkpoints are not set aside while nothing else is there") {
  const TinyRun tiny;
  run_until_line(tiny, 8);  // one step file
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tiny / "run"))
    if (entry.path().extension() == ".h5") write_text(entry.path(), "bad");
  for (int time = 0; time < 2; ++time)
    CHECK(contains(refusal(ErrorKind::input, [&] { run_in(tiny, "run"); }), "none can be used"));
}

TEST_CASE("a whole checkpoint of another run in the folder is passed over") {
  const TinyRun tiny;
  run_in(tiny, "whole");
  run_until_line(tiny, 8);
  const auto write = [&](int step, auto change) {
    state::TrainingState state = state::load(tiny / "whole/stages/full.h5");
    change(state);
    state::save(step_file(tiny, step), state);
  };
  write(900, [](auto& s) { s.progress.stage_index = 1000000; });
  write(901, [](auto& s) { s.progress.stage = "../../x"; });
  write(902, [](auto& s) { s.seed = 99; });
  write(903, [](auto& s) { s.data.index = 1 << 30; });
  state::TrainingState other = state::fresh(tiny_model(1), 3);
  other.progress = {.step = 11, .stage = "full", .stage_index = 1, .stage_step = 5};
  state::save(step_file(tiny, 904), other);
  CHECK(run_in(tiny, "run").done);
  CHECK(same_end(tiny));
  CHECK(std::filesystem::exists(step_file(tiny, 904)));  // somebody's; left where it is
  CHECK_FALSE(std::filesystem::exists(tiny.path().parent_path() / "x.h5"));
}

TEST_CASE("a folder that holds nothing but another run's checkpoint is refused") {
  const TinyRun tiny;
  std::filesystem::create_directories(tiny / "run/checkpoints");
  state::save(step_file(tiny, 4), tiny_state());
  const std::string said = refusal(ErrorKind::input, [&] { run_in(tiny, "run"); });
  CHECK(contains(said, "not of this schedule ("));
}

TEST_CASE("an earlier stage's damaged or removed end leaves a completed run complete") {
  const TinyRun tiny;
  const RunResult before = run_in(tiny, "run");
  const Path small = tiny / "run/stages/small.h5";
  const std::string how = GENERATE("removed", "cut", "overwritten");
  CAPTURE(how);
  if (how == "removed") std::filesystem::remove(small);
  if (how == "cut") std::filesystem::resize_file(small, 1000);
  if (how == "overwritten") write_text(small, "bad");
  const std::string log = read_text(tiny / "run/run.jsonl");
  for (int time = 0; time < 2; ++time) {
    const RunResult again = run_in(tiny, "run");
    CHECK(again.done);
    REQUIRE(again.stages.size() == 2);
    CHECK(again.stages[0].loss == before.stages[0].loss);
    CHECK(again.stages[0].progress.step == 6);
    CHECK(again.stages[0].checkpoint.empty());
    CHECK(again.bits_per_byte == before.bits_per_byte);
  }
  CHECK(count_aside(tiny, "small.h5.damaged") == (how == "removed" ? 0u : 1u));
  CHECK(read_text(tiny / "run/run.jsonl") == log);
}

TEST_CASE("the end of a stage that was removed before the growth is made again") {
  const TinyRun tiny;
  const Path small = tiny / "run/stages/small.h5";
  const Edits edits = {"checkpoint.every=1"};
  run_in(tiny, "whole", edits);
  run_in(tiny, "run", edits, "small");
  std::filesystem::remove(small);
  CHECK(run_in(tiny, "run", edits).done);
  CHECK(std::filesystem::exists(small));
  CHECK(same_end(tiny));
}

TEST_CASE("a state with a number that is not finite is never saved") {
  const TinyRun tiny;
  const plan::RunPlan plan = tiny.plan();
  train::DeviceState live =
      train::fresh_live(plan.stages[0].model, 1, train::options_of(plan, {.device = "cpu"}));
  live.header.progress.stage = "small";
  const Path file = tiny / "a.h5";
  {
    train::CheckpointSaver saver;
    saver.save(file, live);
  }
  const std::string good = read_text(file);
  const auto kind = GENERATE(state::TensorKind::weights, state::TensorKind::exp_avg,
                             state::TensorKind::exp_avg_sq);
  const double value =
      GENERATE(std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
               -std::numeric_limits<double>::infinity());
  live.model->params().of(kind)[7].fill_(value);
  train::CheckpointSaver saver;
  for (const bool beside : {false, true}) {
    const std::string said = refusal(ErrorKind::diverged, [&] {
      if (beside) {
        saver.start(file, live);
        saver.wait();
      } else {
        saver.save(file, live);
      }
    });
    CHECK(contains(said, kind_name(kind)));
    CHECK(contains(said, "not finite"));
  }
  CHECK(read_text(file) == good);
}

TEST_CASE("a run that diverges right after a save names the checkpoint before it, and keeps it") {
  const TinyRun tiny;
  const std::string said = refusal(ErrorKind::diverged, [&] {
    run_in(tiny, "run",
           {"guard.rise=0.05", "stages.small.for=50", "lr.peak=3", "lr.warmup=40",
            "checkpoint={every: 1 steps, keep: 1}"});
  });
  INFO(said);
  CHECK(count_aside(tiny, ".diverged") == 1);
  CHECK(contains(said, ".h5.diverged"));
  const auto at = said.find("last good checkpoint (");
  REQUIRE(at != std::string::npos);
  const auto begin = at + std::string("last good checkpoint (").size();
  const Path good = said.substr(begin, said.find(')', begin) - begin);
  CHECK(state::load(good).progress.step > 0);
}

TEST_CASE("a signal just after a save does not save the same step again") {
  const TinyRun tiny;
  const Edits edits = {"checkpoint.every=1", "checkpoint.keep=9"};
  run_until_line(tiny, 6, edits);
  std::vector<std::int64_t> saved;
  for (const Json& event : events(tiny, "checkpoint")) saved.push_back(event["step"]);
  CAPTURE(saved);
  REQUIRE(saved.size() >= 2);
  CHECK(std::set(saved.begin(), saved.end()).size() == saved.size());
  CHECK(state::load(step_file(tiny, static_cast<int>(saved.back()))).progress.step == saved.back());
  run_in(tiny, "whole", edits);
  CHECK(run_in(tiny, "run", edits).done);
  CHECK(same_end(tiny));
}
