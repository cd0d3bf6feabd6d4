// Routed layers as a user meets them: planned, trained, grown, resumed, trained on several ranks,
// shown, sampled from, and refused where they do not fit.
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

// Twenty steps: a dense layer for ten, then two of which the second is routed.
struct RoutedRun : test::RanksRun {
  RoutedRun() {
    edits.insert(edits.end(),
                 {"model.routed_every=2", "model.routed_base=2", "model.routed_gain=0.05",
                  "stages.small.model={layers: 1, routed_every: 0}",
                  "stages.full.grow=[{operator: depth, factor: 2, new_layers: copied, scale: 0.5}, "
                  "{operator: route, every: 2, base: 2, gain: 0.05}]",
                  "checkpoint.keep=9"});
  }
};

}  // namespace

TEST_CASE("a routed model is planned, trained, shown, scored and sampled from") {
  const RoutedRun run;
  std::vector<std::string> plan = run.words("plan");
  plan.push_back("--details");
  CHECK(contains(require_done(test::stagedtrain(plan)).out, "1 of 2 layers routed"));
  require_done(run.train("one", 1));
  const std::string small = run.folder("one") + "/stages/small.h5",
                    full = run.folder("one") + "/stages/full.h5",
                    grown = run.folder("one") + "/routed.h5";
  CHECK(contains(require_done(test::stagedtrain({"show", full})).out, "1 of 2 layers routed"));
  const auto shown =
      parse_json(require_done(test::stagedtrain({"show", small, "--json"})).out, "show");
  CHECK_FALSE(shown["model"].contains("routed_every"));
  require_done(test::stagedtrain({"grow", small, grown, "--operator", "route", "--every", "1",
                                  "--base", "2", "--verify", run.tokens()}));
  const auto score = [&](const std::string& file) {
    const auto result = test::stagedtrain(
        {"eval", file, "--data", run.tokens(), "--json", "--kernels", "reference"});
    return parse_json(require_done(result).out, "eval")["loss"].get<double>();
  };
  CHECK(score(small) == Approx(score(grown)).epsilon(1e-6));
  const auto sample =
      require_done(test::stagedtrain({"eval", full, "--prompt", "the", "--sample", "40"}));
  CHECK(contains(sample.out, "the"));
  require_done(
      test::stagedtrain({"report", run.folder("one"), "--out", run.folder("one") + ".html"}));
  for (const char* format : {"hf", "gguf", "llmc"})
    CHECK(contains(
        refused(test::stagedtrain({"export", full, run.folder("exported"), "--to", format})),
        "the model has routed layers"));
}

TEST_CASE("a routed run has the same bits after a stop, and on several ranks") {
  const RoutedRun run;
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
  SECTION("stopped after the growth") { stopped_after({"16"}); }
  SECTION("stopped before") { stopped_after({"08", "12", "16"}); }
  SECTION("on two ranks") {
    require_done(run.train("two", 2, {"--sharding", GENERATE("none", "optimizer")}));
    CHECK(first_difference(run.folder("one") + "/stages/full.h5",
                           run.folder("two") + "/stages/full.h5") == "");
    CHECK(contains(refused(run.train("full", 2, {"--sharding", "full"})), "routed layers"));
  }
}

TEST_CASE("what does not fit routed layers is refused with what would") {
  const RoutedRun run;
  const auto plan = [&](const std::string& edit) {
    std::vector<std::string> words = run.words("plan");
    words.insert(words.end(), {"--set", edit});
    return refused(test::stagedtrain(words));
  };
  CHECK(contains(plan("model.routed_every=3"), "model.routed_every is 3, expected at most"));
  CHECK(contains(plan("model.routed_labels=all"), "routed_labels"));
  CHECK(contains(plan("stages.full.layer_dropout={max: 0.3}"),
                 "found in a model with routed layers"));
  CHECK(contains(plan("stages.full.token_dropping={start: 8}"), "routed layers"));
  CHECK(contains(plan("stages.full.grow=[{operator: depth, layers: 2}]"),
                 "stages do not end at the final model"));
  CHECK(contains(plan("stages.full.grow=[{operator: route, every: 1}, {operator: depth, "
                      "factor: 2}]"),
                 "stages do not end at the final model"));
  CHECK(contains(refused(run.train("fused", 1, {"--kernels", "fused"})),
                 "--kernels fused: found a stage with routed layers"));
}
