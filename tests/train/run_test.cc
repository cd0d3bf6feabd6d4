// Whole tiny runs: resuming to the last bit, growing, branching, and every way to end badly.
#include "train/run.h"

#include <cmath>
#include <sstream>

#include "arch/architectures.h"
#include "base/signals.h"
#include "checkpoint/checkpoint.h"
#include "runlog/run_log.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_fault.h"
#include "support/text_file.h"
#include "support/tiny_run.h"
#include "support/tiny_state.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;
using train::RunRequest;
using train::RunResult;

namespace {

RunResult run_in(const test::TinyRun& tiny, const std::string& name,
                 const std::vector<std::string>& edits = {}, const std::string& stage = "") {
  return train::run(tiny.plan(edits), {.out = tiny / name, .stage = stage});
}

// A state without what the clock and the folder's name put into it.
state::TrainingState timeless(const Path& file) {
  state::TrainingState state = state::load(file);
  state.progress.seconds = 0;
  for (state::LineageEntry& entry : state.lineage) entry.source_crc.clear();
  return state;
}

std::string difference(const Path& a, const Path& b) {
  return test::difference(timeless(a), timeless(b));
}

// While it lives, the call'th write to a file whose name ends so does `what` first.
class AtWrite {
 public:
  AtWrite(std::string ending, int call, std::function<int()> what)
      : fault_([=, seen = 0](FileOperation operation, const Path& path) mutable {
          const bool counts =
              operation == FileOperation::write && path.string().find(ending) != std::string::npos;
          return counts && ++seen == call ? what() : 0;
        }) {}
  ~AtWrite() { reset_stop_request(); }

 private:
  test::Fault fault_;
};

int stop_now() {
  reset_stop_request(15);
  return 0;
}

}  // namespace

TEST_CASE("a run trains its stages, grows between them and says where it ended") {
  const test::TinyRun tiny;
  const RunResult result = run_in(tiny, "run");
  CHECK(result.done);
  REQUIRE(result.stages.size() == 2);
  CHECK(result.stages[1].progress.step == 12);
  CHECK(result.stages[1].progress.tokens == 12 * 4 * 16);
  CHECK(result.stages[1].progress.flops == Approx(tiny.plan().flops));
  CHECK(result.stages[1].loss < result.stages[0].loss);
  CHECK(result.bits_per_byte == Approx(result.stages[1].loss / std::log(2.0)));
  const auto end = state::load(tiny / "run/stages/full.h5");
  CHECK(end.model == tiny.plan().final_model);
  REQUIRE(end.lineage.size() == 1);
  CHECK(end.lineage[0].source == "stages/small.h5");
  CHECK(end.lineage[0].source_crc ==
        state::CheckpointReader(tiny / "run/stages/small.h5").identity());
  CHECK(end.run.tokenizer == "bytes");
  CHECK(contains(end.run.schedule, "peak: 0.01"));
}

TEST_CASE("the log of a run has every kind of event, and the growth kept the loss") {
  const test::TinyRun tiny;
  run_in(tiny, "run");
  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  CHECK(log.steps.size() == 12);
  CHECK(log.evaluations.size() == 4);  // at 3, 6, 9, 12
  CHECK(log.stage_ends.size() == 2);
  REQUIRE(log.growths.size() == 1);
  CHECK(log.growths[0].loss_after == Approx(log.growths[0].loss_before).epsilon(1e-6));
  REQUIRE(log.comparable());
  CHECK(log.end->loss == log.stage_ends[1].loss);
}

TEST_CASE("stopped anywhere and run again, a run ends with the same bits") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {GENERATE("batch.micro=0", "batch.micro=2"),
                                          GENERATE("dropout=0", "dropout=0.2")};
  run_in(tiny, "whole", edits);
  // Lines of the log: start, steps and evaluations, stage_end, grow, ...
  const int line = GENERATE(2, 4, 6, 8, 10, 11, 12, 15, 18);
  CAPTURE(line, edits);
  {
    const AtWrite stop("run.jsonl", line, stop_now);
    const std::string said =
        test::refusal(ErrorKind::interrupted, [&] { run_in(tiny, "stopped", edits); });
    CHECK(contains(said, "run the same command again"));
  }
  CHECK(run_in(tiny, "stopped", edits).done);
  for (const char* stage : {"small.h5", "full.h5"})
    CHECK(difference(tiny / "whole" / "stages" / stage, tiny / "stopped" / "stages" / stage) == "");
}

TEST_CASE("every precision resumes to the last bit") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {GENERATE("precision=bf16", "precision=fp64")};
  run_in(tiny, "whole", edits);
  {
    const AtWrite stop("run.jsonl", 5, stop_now);
    test::refusal(ErrorKind::interrupted, [&] { run_in(tiny, "stopped", edits); });
  }
  run_in(tiny, "stopped", edits);
  CHECK(difference(tiny / "whole/stages/full.h5", tiny / "stopped/stages/full.h5") == "");
}

TEST_CASE("a finished run is left as it is") {
  const test::TinyRun tiny;
  run_in(tiny, "run");
  const std::string before = test::read_text(tiny / "run/stages/full.h5");
  CHECK(run_in(tiny, "run").done);
  CHECK(test::read_text(tiny / "run/stages/full.h5") == before);
}

TEST_CASE("stage by stage is the same as all at once") {
  const test::TinyRun tiny;
  run_in(tiny, "whole");
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { run_in(tiny, "parts", {}, "full"); }),
                 "run --stage small first"));
  CHECK_FALSE(run_in(tiny, "parts", {}, "small").done);
  CHECK(run_in(tiny, "parts", {}, "full").done);
  CHECK(run_in(tiny, "parts", {}, "small").done);
  CHECK(difference(tiny / "whole/stages/full.h5", tiny / "parts/stages/full.h5") == "");
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { run_in(tiny, "parts", {}, "ful"); }),
                 "did you mean 'full'"));
}

TEST_CASE("a stage that reaches its loss ends early, and the curve ends with the run") {
  const test::TinyRun tiny;
  const RunResult result = run_in(tiny, "run", {"stages.small.until.loss=100"});
  CHECK(result.stages[0].progress.step == 3);
  CHECK(result.stages[1].progress.step == 9);
  CHECK(result.stages[1].progress.total_steps == 9);
  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  CHECK(log.end->decayed);
  CHECK(log.steps.back().lr < 0.003);
}

TEST_CASE("a stage ends where its curve has become flat, and a resumed run decides the same") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {"stages.small.for=400", "stages.small.until.slope=-0.2",
                                          "evaluate.every=20", "lr.decay=4"};
  const RunResult whole = run_in(tiny, "whole", edits);
  const std::int64_t end = whole.stages[0].progress.step;
  REQUIRE(end < 400);
  CHECK(end % 20 == 0);
  const std::string log = test::read_text(tiny / "whole/run.jsonl");
  CHECK(contains(log, R"("event":"until")"));
  CHECK(contains(log, R"("rule":"slope","threshold":-0.2)"));
  CHECK(contains(log, "has risen to"));
  for (const std::int64_t step : {end - 21, end - 20, end - 1, end}) {
    CAPTURE(step, end);
    const std::string name = fmt::format("stopped-{}", step);
    {
      // The line after the start event of each step and of the evaluations before it.
      const AtWrite stop("run.jsonl", static_cast<int>(1 + step + (step - 1) / 20), stop_now);
      test::refusal(ErrorKind::interrupted, [&] { run_in(tiny, name, edits); });
    }
    CHECK(run_in(tiny, name, edits).stages[0].progress.step == end);
    CHECK(difference(tiny / "whole/stages/full.h5", tiny / name / "stages/full.h5") == "");
  }
}

TEST_CASE("a run that was planned anew goes on with the new lengths and their curve") {
  const test::TinyRun tiny;
  {
    const AtWrite stop("run.jsonl", 6, stop_now);
    test::refusal(ErrorKind::interrupted, [&] { run_in(tiny, "run"); });
  }
  const std::vector<std::string> edits = {"stages.small.for=9", "stages.full.for=5"};
  const RunResult result = train::run(tiny.plan(edits), {.out = tiny / "run", .replan = true});
  CHECK(result.done);
  CHECK(result.stages[0].progress.step == 9);
  CHECK(result.stages[1].progress.step == 14);
  run_in(tiny, "whole", edits);  // the rate was at its peak in both when the first was stopped
  CHECK(difference(tiny / "whole/stages/full.h5", tiny / "run/stages/full.h5") == "");
}

TEST_CASE("scratch budgets share their stable part to the last bit") {
  const test::TinyRun tiny;
  const auto plans = plan::resolve_scratch(tiny.plan());
  REQUIRE(plans.size() == 2);
  REQUIRE(plans[0].branch_step == 5);
  train::run(plans[0], {.out = tiny / "short"});
  train::run(plans[1], {.out = tiny / "long", .branch_of = tiny / "short/branch.h5"});
  train::run(plans[1], {.out = tiny / "alone"});
  CHECK(difference(tiny / "long/stages/scratch.h5", tiny / "alone/stages/scratch.h5") == "");
  CHECK(runlog::read_log(tiny / "long/run.jsonl", "long").comparable());
}

TEST_CASE("accumulated gradients take the same steps as one large batch") {
  const test::TinyRun tiny;
  const RunResult whole = run_in(tiny, "whole"), parts = run_in(tiny, "parts", {"batch.micro=1"});
  CHECK(parts.stages[1].loss == Approx(whole.stages[1].loss).epsilon(1e-4));
}

TEST_CASE("batch and length warm-ups cost what they cost and change the course") {
  const test::TinyRun tiny;
  const RunResult result =
      run_in(tiny, "run",
             {"batch.size_warmup={start: 1, over: 4}", "batch.length_warmup={start: 4, over: 5}"});
  CHECK(result.done);
  CHECK(result.stages[1].progress.tokens == tiny.plan({"batch.size_warmup={start: 1, over: 4}",
                                                       "batch.length_warmup={start: 4, over: 5}"})
                                                .tokens);
  CHECK(result.stages[1].progress.flops < tiny.plan().flops);
}

TEST_CASE("weights of another run start a new one, whose cost counts") {
  const test::TinyRun tiny;
  run_in(tiny, "first");
  const std::string from = (tiny / "first/stages/small.h5").string();
  const RunResult result = run_in(tiny, "second", {"from=" + from});
  CHECK(result.stages[0].progress.step == 6);
  CHECK(result.stages[0].progress.tokens == 2 * 6 * 64);
  const auto state = state::load(tiny / "second/stages/small.h5");
  REQUIRE(state.lineage.size() == 1);
  CHECK(state.lineage[0].source == from);
}

TEST_CASE("a diverging run ends, saves nothing more, and names the last good checkpoint") {
  const test::TinyRun tiny;
  const std::string said = test::refusal(ErrorKind::diverged, [&] {
    run_in(tiny, "run",
           {"guard.rise=0.01", "stages.small.for=50", "lr.peak=0.5", "checkpoint.every=1"});
  });
  CHECK(contains(said, "diverged"));
  CHECK(contains(said, "checkpoints/step-"));
  const std::string at_once = test::refusal(ErrorKind::diverged, [&] {
    run_in(tiny, "other", {"optimizer.clip=0", "lr.peak=10", "lr.warmup=0", "guard.rise=0.5"});
  });
  CHECK(contains(at_once, "there is none yet"));
}

TEST_CASE("a full disk ends a run, and the older checkpoint lets it go on") {
  const test::TinyRun tiny;
  run_in(tiny, "whole");
  {
    const AtWrite full("step-00000008.h5", 1, [] { return ENOSPC; });
    const std::string said = test::refusal(ErrorKind::resource, [&] { run_in(tiny, "run"); });
    CHECK(contains(said, "step-00000008.h5"));
    CHECK(contains(said, "needed"));
  }
  CHECK(run_in(tiny, "run").done);
  CHECK(difference(tiny / "whole/stages/full.h5", tiny / "run/stages/full.h5") == "");
}

TEST_CASE(
    "checkpoints on the way are logged with what they cost, and hold the state of their step") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {"checkpoint.every=1", "checkpoint.keep=100"};
  run_in(tiny, "run", edits);
  std::vector<Json> saved;
  std::istringstream lines(test::read_text(tiny / "run/run.jsonl"));
  for (std::string line; std::getline(lines, line);)
    if (const Json event = Json::parse(line); event["event"] == "checkpoint")
      saved.push_back(event);
  REQUIRE(saved.size() == 12);
  for (std::size_t i = 0; i < saved.size(); ++i) {
    const Json& event = saved[i];
    const Path file = tiny / "run" / event["file"].get<std::string>();
    CHECK(event["bytes"] == std::filesystem::file_size(file));
    CHECK(event["stood_still_seconds"] >= 0);
    CHECK(state::load(file).progress.step == event["step"]);
    CHECK(event["step"] == i + 1);
  }
}

TEST_CASE("a run that goes on from a checkpoint on the way ends with the same bits") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {"checkpoint.every=1"};
  run_in(tiny, "whole", edits);
  run_in(tiny, "again", edits);
  std::filesystem::remove(tiny / "again/stages/full.h5");
  CHECK(run_in(tiny, "again", edits).done);
  CHECK(difference(tiny / "whole/stages/full.h5", tiny / "again/stages/full.h5") == "");
}

TEST_CASE("a bad checkpoint is passed over for the one before it") {
  const test::TinyRun tiny;
  run_in(tiny, "run");
  const std::string good = test::read_text(tiny / "run/stages/full.h5");
  std::string bad = good;
  bad[bad.size() / 2] ^= 1;
  test::write_text(tiny / "run/stages/full.h5", bad);
  CHECK(run_in(tiny, "run").done);
  const auto again = state::load(tiny / "run/stages/full.h5");
  CHECK(again.progress.step == 12);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tiny / "run"))
    if (entry.path().extension() == ".h5") test::write_text(entry.path(), "bad");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { run_in(tiny, "run"); }),
                 "has checkpoints, but none can be used"));
}

TEST_CASE("tokens that changed under a run are refused") {
  const test::TinyRun tiny;
  run_in(tiny, "run", {}, "small");
  std::string tokens = test::read_text(tiny / "data/train.bin");
  // Raw tokens of the same text, so that only the bytes of the file differ.
  std::string raw;
  for (char c : tokens.substr(4096)) raw += std::string{c, '\0'};
  test::write_text(tiny / "data/train.bin", raw);
  CHECK(contains(test::refusal(ErrorKind::input, [&] { run_in(tiny, "run"); }), "fingerprint"));
}

TEST_CASE("width growth with its break trains on") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {"model.layers=1", "model.width=32", "model.heads=4",
                                          "stages.small.model={width: 16, heads: 2}",
                                          "stages.full.grow=[{operator: width, factor: 2}]"};
  const RunResult result = run_in(tiny, "run", edits);
  CHECK(result.done);
  const runlog::Run log = runlog::read_log(tiny / "run/run.jsonl", "run");
  CHECK(log.growths[0].loss_after == Approx(log.growths[0].loss_before).epsilon(1e-5));
  CHECK(result.stages[1].loss < result.stages[0].loss);
}

namespace {

const std::vector<std::string> kMask = {
    "stages.full.grow=[{operator: mask, layers: 2, width: 24, ffn: 80, steps: 3}]",
    "model.width=24", "model.head_dim=8", "model.ffn=80",
    "stages.small.model={layers: 1, width: 16, ffn: 64}"};

}  // namespace

TEST_CASE("a run behind a mask resumes to the last bit, before it is lifted and after") {
  const test::TinyRun tiny;
  REQUIRE(run_in(tiny, "whole", kMask).done);
  const state::TrainingState end = state::load(tiny / "whole/stages/full.h5");
  CHECK(end.mask == state::MaskRamp{});
  for (const int stop : {7, 8, 9, 10}) {
    const std::string name = fmt::format("stopped-{}", stop);
    std::vector<std::string> edits = kMask;
    edits.push_back("checkpoint={every: 1 steps, keep: 20}");
    REQUIRE(run_in(tiny, name, edits).done);
    std::filesystem::remove(tiny / (name + "/stages/full.h5"));
    for (int step = stop + 1; step <= 12; ++step)
      std::filesystem::remove(tiny / fmt::format("{}/checkpoints/step-{:08}.h5", name, step));
    REQUIRE(run_in(tiny, name, edits).done);
    CAPTURE(stop);
    state::TrainingState again = timeless(tiny / (name + "/stages/full.h5"));
    state::TrainingState once = timeless(tiny / "whole/stages/full.h5");
    again.run.schedule = once.run.schedule = "";
    CHECK(test::difference(once, again) == "");
  }
}

TEST_CASE("with train_only: new the old tensors stay as they are, bit by bit") {
  const test::TinyRun tiny;
  const std::vector<std::string> edits = {"stages.full.grow=[{operator: llama_pro}]",
                                          "stages.full.train_only=new"};
  REQUIRE(run_in(tiny, "run", edits).done);
  const auto before = state::load(tiny / "run/stages/small.h5"),
             after = state::load(tiny / "run/stages/full.h5");
  const arch::ParamTable sources = arch::param_table(before.model),
                         table = arch::param_table(after.model);
  for (std::size_t i = 0; i < table.size(); ++i) {
    CAPTURE(table[i].name);
    const std::int64_t source = sources.index(table[i].name);
    for (const state::TensorKind kind : state::kTensorKinds) {
      if (table[i].layer == 1) continue;
      REQUIRE(source >= 0);
      CHECK(std::ranges::equal(after.of(kind)[i].bytes(),
                               before.of(kind)[static_cast<std::size_t>(source)].bytes()));
    }
  }
  const auto down = static_cast<std::size_t>(table.index("layers.1.mlp.down.weight"));
  CHECK(after.of(state::TensorKind::weights)[down].at(0) != 0);
  CHECK(contains(test::refusal(ErrorKind::usage,
                               [&] {
                                 tiny.plan({"stages.full.train_only=new",
                                            "stages.full.grow=[{operator: width}]",
                                            "model.width=32", "model.heads=4", "model.layers=1",
                                            "stages.small.model={width: 16, heads: 2}"});
                               }),
                 "this stage adds no layer and no expert"));
}
