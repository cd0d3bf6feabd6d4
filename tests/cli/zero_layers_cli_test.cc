// Models without layers as a user meets them: planned, trained on one rank and several, with fused
// and reference kernels, grown, shown, sampled from, and not exported.
#include "support/catch.h"
#include "support/ranks.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;
using test::first_difference;
using test::require_done;

namespace {

// Twenty steps; no layers in the first ten, three in the last ten.
struct ZeroLayers : test::RanksRun {
  ZeroLayers() {
    edits.insert(edits.end(),
                 {"model.layers=3", "stages.small.model={layers: 0}",
                  "stages.full.grow=[{operator: depth, layers: 3, new_layers: random}]"});
  }
};

}  // namespace

TEST_CASE("a model without layers is planned, trained, grown, shown and sampled from") {
  const ZeroLayers run;
  std::vector<std::string> plan = run.words("plan");
  plan.push_back("--details");
  CHECK(contains(require_done(test::stagedtrain(plan)).out, "gpt2, 0 layers x 32"));
  require_done(run.train("one", 1));
  const std::string small = run.folder("one") + "/stages/small.h5";
  CHECK(contains(require_done(test::stagedtrain({"show", small})).out, "0 layers"));
  require_done(test::stagedtrain({"report", run.folder("one"), "--out", run.folder("one") + ".html"}));
  require_done(test::stagedtrain({"eval", small, "--data", run.tokens()}));
  require_done(test::stagedtrain({"eval", small, "--prompt", "the", "--sample", "5"}));
  const auto dry = test::stagedtrain({"grow", small, "unused.h5", "--operator", "depth", "--layers",
                                      "2", "--new_layers", "random", "--dry-run"});
  CHECK(contains(require_done(dry).out, "0 layers x 32"));
  for (const char* format : {"hf", "gguf", "llmc"}) {
    const auto refused =
        test::stagedtrain({"export", small, run.folder("exported"), "--to", format});
    CHECK(refused.exit_code == 2);
    CHECK(contains(refused.err, "the model has 0 layers, expected at least 1"));
  }
}

TEST_CASE("a run that begins without layers has the same bits on several ranks") {
  const ZeroLayers run;
  require_done(run.train("one", 1));
  require_done(run.train("two", 2, {"--sharding", GENERATE("none", "optimizer", "full")}));
  for (const char* stage : {"/stages/small.h5", "/stages/full.h5"})
    CHECK(first_difference(run.folder("one") + stage, run.folder("two") + stage) == "");
}
