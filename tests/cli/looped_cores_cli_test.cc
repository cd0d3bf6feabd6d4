// Looped cores as a user meets them: planned, trained with either kernels, untied, resumed, trained
// on several ranks, shown, sampled from, and refused where they do not fit.
#include "support/catch.h"
#include "support/ranks.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;
using test::first_difference;
using test::refused;
using test::require_done;

namespace {

// Twenty steps: in the first ten a tied core of one layer runs three times, and each pass has its
// own in the last ten.
struct LoopedRun : test::RanksRun {
  LoopedRun() {
    edits.insert(edits.end(), {"model.layers=5", "model.prelude=1", "model.core=1", "model.coda=1",
                               "model.passes=3", "model.tied_cores=false",
                               "stages.small.model={layers: 3, tied_cores: true}",
                               "stages.full.grow=[{operator: untie}]", "checkpoint.keep=9"});
  }
};

}  // namespace

TEST_CASE("a looped model is planned, trained, untied, shown and sampled from") {
  const LoopedRun run;
  std::vector<std::string> plan = run.words("plan");
  plan.push_back("--details");
  for (const char* part :
       {"1 + 3 x 1 tied + 1", "a pass runs 5 layers: the core of 1 runs 3 times", "(5 run)"})
    CHECK(contains(require_done(test::stagedtrain(plan)).out, part));
  require_done(run.train("one", 1));
  const std::string small = run.folder("one") + "/stages/small.h5",
                    grown = run.folder("one") + "/untied.h5";
  CHECK(contains(require_done(test::stagedtrain({"show", small})).out, "1 + 3 x 1 tied + 1"));
  require_done(
      test::stagedtrain({"grow", small, grown, "--operator", "untie", "--verify", run.tokens()}));
  CHECK(contains(require_done(test::stagedtrain({"show", grown})).out, "1 + 3 x 1 untied + 1"));
  const auto score = [&](const std::string& file) {
    const auto result = test::stagedtrain({"eval", file, "--data", run.tokens(), "--json"});
    return parse_json(require_done(result).out, "eval")["loss"].get<double>();
  };
  CHECK(score(small) == score(grown));
  const auto sample = [&](const std::string& file) {
    return require_done(test::stagedtrain({"eval", file, "--prompt", "the", "--sample", "9"})).out;
  };
  CHECK(contains(sample(small), "the"));
  require_done(
      test::stagedtrain({"report", run.folder("one"), "--out", run.folder("one") + ".html"}));
  for (const char* format : {"hf", "gguf", "llmc"})
    CHECK(contains(
        refused(test::stagedtrain({"export", small, run.folder("exported"), "--to", format})),
        "the model has a looped core"));
}

TEST_CASE("a looped run has the same bits after a stop, and on several ranks") {
  const LoopedRun run;
  require_done(run.train("one", 1));
  // An earlier checkpoint is what a kill would leave.
  const auto stopped_after = [&](const std::vector<const char*>& late) {
    require_done(run.train("stopped", 1));
    std::filesystem::remove_all(run.folder("stopped") + "/stages");
    for (const char* step : late)
      REQUIRE(std::filesystem::remove(run.folder("stopped") + "/checkpoints/step-000000" + step +
                                      ".h5"));
    require_done(run.train("stopped", 1));
    CHECK(first_difference(run.folder("one") + "/stages/full.h5",
                           run.folder("stopped") + "/stages/full.h5") == "");
  };
  SECTION("stopped after the core was untied") { stopped_after({"16"}); }
  SECTION("stopped before") {
    stopped_after({"08", "12", "16"});
    CHECK(first_difference(run.folder("one") + "/stages/small.h5",
                           run.folder("stopped") + "/stages/small.h5") == "");
  }
  SECTION("on two ranks") {
    require_done(run.train("two", 2, {"--sharding", GENERATE("none", "optimizer")}));
    for (const char* stage : {"/stages/small.h5", "/stages/full.h5"})
      CHECK(first_difference(run.folder("one") + stage, run.folder("two") + stage) == "");
    CHECK(contains(refused(run.train("full", 2, {"--sharding", "full"})), "a looped core"));
  }
}

TEST_CASE("what does not fit a looped core is refused with what would") {
  const LoopedRun run;
  const auto plan = [&](const std::string& edit) {
    std::vector<std::string> words = run.words("plan");
    words.insert(words.end(), {"--set", edit});
    return refused(test::stagedtrain(words));
  };
  CHECK(
      contains(plan("model.layers=6"), "model.layers is 6, expected 5: a prelude of 1, 3 untied"));
  CHECK(contains(plan("model.passes=0"), "passes"));
  CHECK(contains(plan("model.boundary_alpha=-1"), "boundary_alpha"));
  CHECK(contains(plan("stages.full.layer_dropout={max: 0.3}"), "looped core"));
  CHECK(contains(plan("stages.full.grow=[{operator: depth, layers: 5}]"), "expected 3"));
  CHECK(contains(plan("stages.full.grow=[{operator: untie}, {operator: untie}]"), "are untied"));
}
