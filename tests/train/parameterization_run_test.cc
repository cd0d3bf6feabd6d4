// Runs under a parameterization: resumed to the last bit, grown into the scales of the final model,
// and begun from a checkpoint's weights.
#include "lengths/resolve_files.h"
#include "model/running_model.h"
#include "support/schedules.h"
#include "support/tiny_state.h"
#include "train/faulty_run.h"

using namespace stagedtrain;
using test::Edits;

namespace {

// 1 layer x 16, grown in width and depth.
Edits scaled_edits(const Edits& more = {}) {
  Edits edits = {"model={layers: 2, width: 32, heads: 4, context: 16, vocab: 256}",
                 "parameterization={base_width: 8, base_layers: 1}",
                 "stages.small.model={layers: 1, width: 16, heads: 2}",
                 "stages.full.grow=[{operator: clone, factor: 2}, {operator: depth, layers: 2}]"};
  edits.insert(edits.end(), more.begin(), more.end());
  return edits;
}

void check_scales(const state::TrainingState& state) {
  const std::vector<state::TensorHistory> fresh = state::fresh_histories(state.model);
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    CHECK(state.histories[i].lr_scale == Approx(fresh[i].lr_scale).epsilon(1e-13));
    CHECK(state.histories[i].decay_scale == Approx(fresh[i].decay_scale).epsilon(1e-13));
    CHECK(state.histories[i].eps_scale == Approx(fresh[i].eps_scale).epsilon(1e-13));
  }
}

}  // namespace

TEST_CASE("stopped under a parameterization and run again, a run ends with the same bits") {
  const test::TinyRun tiny;
  const Edits edits = scaled_edits();
  test::run_to_end(tiny, "whole", edits);
  check_scales(test::end_of(tiny, "whole"));
  for (const int line : {8, 18}) {
    const std::string name = "stopped-" + std::to_string(line);
    {
      const test::StopAtLine stop(line);
      test::refusal(ErrorKind::interrupted,
                    [&] { train::run(tiny.plan(edits), {.out = tiny / name}); });
    }
    test::run_to_end(tiny, name, edits);
    CHECK(test::difference(test::end_of(tiny, "whole"), test::end_of(tiny, name)) == "");
  }
}

TEST_CASE("a model of the base size trains as it would without a parameterization, to the bit") {
  const test::TinyRun tiny;
  const Edits one = {"stages=[{name: full, for: 8}]"};
  test::run_to_end(tiny, "plain", one);
  test::run_to_end(tiny, "scaled",
                   {one[0], "parameterization={base_width: 16, base_layers: 2, final_layers: 2}"});
  state::TrainingState plain = test::end_of(tiny, "plain"), scaled = test::end_of(tiny, "scaled");
  CHECK_FALSE(plain.model == scaled.model);
  scaled.model.parameterization = {};
  CHECK(test::difference(plain, scaled) == "");
}

TEST_CASE("a run from a checkpoint's weights has the scales of its model") {
  const test::TinyRun tiny;
  test::run_to_end(tiny, "first", scaled_edits());
  const std::string from = (tiny / "first/stages/full.h5").string();
  const Edits once = scaled_edits({"from=" + from, "stages=[{name: full, for: 4}]"});
  test::run_to_end(tiny, "second", once);
  check_scales(test::end_of(tiny, "second"));
  // Weights of another parameterization mean another model.
  Edits other = once;
  other[1] = "parameterization={base_width: 16}";
  const std::string message = test::refusal(
      ErrorKind::usage, [&] { train::run(tiny.plan(other), {.out = tiny / "third"}); });
  CHECK(message.find("scaled from 1 x 8, for 2 layers") != std::string::npos);
}

TEST_CASE("every optimizer trains and grows under a parameterization of width") {
  for (const char* name : {"adamw", "muon", "lion", "sgd"}) {
    CAPTURE(name);
    const test::TinyRun tiny;
    test::run_to_end(tiny, "run",
                     scaled_edits({"parameterization={base_width: 8}",
                                   std::string("optimizer={name: ") + name + "}"}));
    check_scales(test::end_of(tiny, "run"));
  }
}

TEST_CASE("the example of a parameterization trains, grows twice and trains on") {
  const test::TinyRun tiny;
  const Path file = test::source_folder() / "schedules/parameterization.yaml";
  const schedule::Schedule of_run = tiny.plan().schedule;
  Edits edits = {"data.train=" + of_run.data.train, "data.validation=" + of_run.data.validation,
                 "batch={sequences: 1}", "evaluate.tokens=128", "lr.warmup=0"};
  for (const schedule::StageSpec& stage : schedule::load(file).stages)
    edits.push_back("stages." + stage.name + ".for=1 steps");
  CHECK(train::run(plan::resolve_files(schedule::load(file, edits)), {.out = tiny / "run"}).done);
  check_scales(test::end_of(tiny, "run"));
}
