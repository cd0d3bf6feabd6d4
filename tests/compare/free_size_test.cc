// Savings against the best of several sizes.
#include "compare/free_size.h"

#include <fmt/format.h>

#include "compare/comparison.h"
#include "run_report/phrases.h"
#include "run_report/results.h"
#include "support/catch.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

Run run_of(std::string role, int layers, double flops, double loss) {
  Run run;
  run.name = fmt::format("{}-{}-{}", role, layers, flops);
  run.role = role;
  run.settings = {{"lr.peak", "0.003"}};
  run.train_fingerprint = "1234abcd";
  run.final_model.layers = layers;
  run.final_model.width = 64;
  run.stages = {{.name = "full", .params = 1000}};
  run.end = RunEnd{{.step = flops, .tokens = flops, .flops = flops, .seconds = flops},
                   loss,
                   0.01,
                   kUnknown,
                   true};
  return run;
}

// 12 layers come to the staged loss with 200 FLOPs, 4 layers with 160, 24 layers not at all.
std::vector<Run> three_sizes() {
  return {run_of("staged", 12, 120, 1.8),  run_of("scratch", 12, 100, 2.0),
          run_of("scratch", 12, 400, 1.6), run_of("scratch", 4, 80, 2.0),
          run_of("scratch", 4, 320, 1.6),  run_of("scratch", 24, 100, 2.8),
          run_of("scratch", 24, 140, 2.7)};
}

}  // namespace

TEST_CASE("the saving against the best size is paired by seed, if a size is the best for all") {
  std::vector<Run> runs;
  for (const double seed : {1.0, 2.0})
    for (Run run : three_sizes()) {
      run.seed = seed;
      run.name += fmt::format("/{}", seed);
      run.end->loss += seed == 2 && !run.staged() ? .04 : 0;
      runs.push_back(run);
    }
  std::vector<double> savings;
  for (const Comparison& one : make_report(runs, Seeds::apart).comparisons)
    savings.push_back(one.free_size.value().saving.value);
  REQUIRE(savings.size() == 2);
  REQUIRE(savings[1] > savings[0] + .01);
  const FreeSize free = make_report(runs).comparisons.at(0).free_size.value();
  CHECK(free.paired);
  CHECK(free.saving.se == Approx((savings[1] - savings[0]) / 2));
  std::vector<Run> one_staged = runs;
  std::erase_if(one_staged, [](const Run& run) { return run.seed == 2.0 && run.staged(); });
  const FreeSize paired = make_report(one_staged).comparisons.at(0).free_size.value();
  CHECK(paired.paired);
  CHECK(paired.saving.value == Approx(savings[0]));
  std::erase_if(runs,
                [](const Run& run) { return run.seed == 2.0 && run.final_model.layers == 4; });
  CHECK_FALSE(make_report(runs).comparisons.at(0).free_size.value().paired);
}

TEST_CASE("the best size is the one that comes to the staged loss with the fewest FLOPs") {
  const Report report = make_report(three_sizes());
  REQUIRE(report.comparisons.size() == 1);
  const Comparison& comparison = report.comparisons[0];
  CHECK(comparison.ends == std::vector<std::size_t>{1, 2});
  CHECK(comparison.notes.empty());  // the other sizes are no mistake
  CHECK(comparison[CostKind::flops].saving->value == Approx(1 - 120 / 200.0));
  REQUIRE(comparison.free_size);
  CHECK(comparison.free_size->size == "4x64");
  CHECK(comparison.free_size->sizes == std::vector<std::string>{"12x64", "4x64"});
  CHECK(comparison.free_size->undecided == std::vector<std::string>{"24x64"});  // ends at 140 FLOPs
  CHECK(comparison.free_size->saving.value == Approx(1 - 120 / 160.0));
  CHECK(comparison.free_size->saving.low == 3);
  CHECK_FALSE(comparison.free_size->is_final_model);
  CHECK(contains(verdict(report, comparison),
                 "Against the best of the sizes 12x64, 4x64 from scratch, 4x64, it took 25% fewer "
                 "FLOPs. Not decided for 24x64"));
  const Json json = to_json(report)["comparisons"][0]["free_size"];
  CHECK(json["best"] == "4x64");
  CHECK(json["saving"]["value"].get<double>() == Approx(0.25));
}

TEST_CASE("a final model that is the best size saves as much against all") {
  std::vector<Run> runs = three_sizes();
  for (Run& run : runs)
    if (run.final_model.layers == 4) run.end->at.flops *= 4;
  const Report report = make_report(runs);
  REQUIRE(report.comparisons[0].free_size);
  CHECK(report.comparisons[0].free_size->is_final_model);
  CHECK(report.comparisons[0].free_size->saving.value ==
        Approx(report.comparisons[0][CostKind::flops].saving->value));
}

TEST_CASE("a size is worse once it has cost more than the best one needs, and one end tells nothing") {
  std::vector<Run> runs = three_sizes();
  runs.push_back(run_of("scratch", 24, 200, 2.6));
  runs.push_back(run_of("scratch", 3, 100, 1.9));
  const Report report = make_report(runs);
  CHECK(report.comparisons[0].free_size->sizes ==
        std::vector<std::string>{"12x64", "24x64", "4x64"});
  CHECK(report.comparisons[0].free_size->undecided == std::vector<std::string>{"3x64"});
}

TEST_CASE("a size whose cheapest end is better already bounds the saving") {
  std::vector<Run> runs = three_sizes();
  for (Run& run : runs)
    if (run.final_model.layers == 4) run.end->loss -= 0.5;
  const Report report = make_report(runs);
  CHECK(report.comparisons[0].free_size->size == "4x64");
  CHECK(contains(verdict(report, report.comparisons[0]), "4x64, it took at least 50% more FLOPs"));
}

TEST_CASE("a run of another size that has not ended is left out, and a note says why") {
  std::vector<Run> runs = three_sizes();
  runs.push_back(run_of("scratch", 4, 640, 1.5));
  runs.back().end.reset();
  const Comparison comparison = make_report(runs).comparisons.at(0);
  CHECK(comparison.free_size.value().saving.value == Approx(1 - 120 / 160.0));
  REQUIRE(comparison.notes.size() == 1);
  CHECK(comparison.notes[0] ==
        "The scratch run scratch-4-640 has not ended. Its size is compared without it.");
}

TEST_CASE("without other sizes a report says that the second saving is not known") {
  std::vector<Run> runs = three_sizes();
  std::erase_if(runs, [](const Run& run) { return run.final_model.layers != 12; });
  const Report report = make_report(runs);
  CHECK_FALSE(report.comparisons[0].free_size);
  CHECK(contains(verdict(report, report.comparisons[0]), "Other sizes were not trained"));
  CHECK(to_json(report)["comparisons"][0]["free_size"].is_null());
}

TEST_CASE("sizes that differ in more than their size are no baseline") {
  for (const auto change : {+[](Run& run) { run.settings[0].value = "0.01"; },
                            +[](Run& run) { run.final_model.vocab = 7; },
                            +[](Run& run) { run.end->decayed = false; },
                            +[](Run& run) { run.from = "old.h5"; }}) {
    std::vector<Run> runs = three_sizes();
    for (Run& run : runs)
      if (run.final_model.layers != 12) change(run);
    CHECK_FALSE(make_report(runs).comparisons[0].free_size);
  }
}

TEST_CASE("models of as many layers and the same width may be of different sizes") {
  std::vector<Run> runs = three_sizes();
  for (Run& run : runs)
    if (run.final_model.layers == 4) run.final_model.layers = 12, run.final_model.ffn = 64;
  const Report report = make_report(runs);
  REQUIRE(report.comparisons[0].free_size);
  CHECK(report.comparisons[0].free_size->size == "12x64-ffn64");
  CHECK_FALSE(report.comparisons[0].free_size->is_final_model);
  CHECK(contains(verdict(report, report.comparisons[0]), "12x64-ffn64, it took 25% fewer FLOPs"));
}

TEST_CASE("a difference to the best size within its error is said to be perhaps none") {
  std::vector<Run> runs = three_sizes();
  CHECK_FALSE(contains(verdict(make_report(runs), make_report(runs).comparisons[0]), "be none"));
  for (Run& run : runs)
    if (run.final_model.layers == 4) run.end->se = 0.2;
  const Report report = make_report(runs);
  CHECK(contains(verdict(report, report.comparisons[0]),
                 "That difference is within twice its standard error"));
}
