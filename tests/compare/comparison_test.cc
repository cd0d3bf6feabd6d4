// Which runs are compared with which, and why others are not.
#include "compare/comparison.h"

#include <fmt/format.h>

#include "run_report/phrases.h"
#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::report;

namespace {

Run run_of(std::string role, double flops, double loss) {
  Run run;
  run.name = role + fmt::format("-{}", flops);
  run.role = role;
  run.device = "cpu";
  run.seed = 1;
  run.settings = {{"lr.peak", "0.003"}, {"dropout", "0"}, {"evaluate.tokens", "65536"}};
  run.train_fingerprint = "1234abcd";
  run.validation_fingerprint = "5678abcd";
  run.threads = 2;
  run.final_model.layers = 6;
  run.stages = {{.name = "full", .params = 1000}};
  run.end = RunEnd{{.step = flops, .tokens = 2 * flops, .flops = flops, .seconds = 3 * flops},
                   loss,
                   0.01,
                   kUnknown,
                   true};
  return run;
}

// A staged run at 150 FLOPs whose loss costs 200 from scratch.
std::vector<Run> fair() {
  return {run_of("staged", 150, 1.8), run_of("scratch", 400, 1.6), run_of("scratch", 100, 2.0)};
}

// Checks that nothing is compared, and returns the reason in FLOPs.
std::string why_nothing(std::vector<Run> runs) {
  const Report report = make_report(std::move(runs));
  REQUIRE(report.comparisons.size() == 1);
  CHECK_FALSE(report.comparisons[0][CostKind::flops].saving);
  return report.comparisons[0][CostKind::flops].reason;
}

std::string notes_of(const std::vector<Run>& runs) {
  std::string text;
  const Report report = make_report(runs);
  for (const std::string& note : report.comparisons.at(0).notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("a staged run is compared with the scratch ends in all three measures") {
  const Report report = make_report(fair());
  REQUIRE(report.comparisons.size() == 1);
  const Comparison& comparison = report.comparisons[0];
  CHECK(comparison.staged == 0);
  CHECK(comparison.ends == std::vector<std::size_t>{2, 1});  // by rising cost
  CHECK(comparison.notes.empty());
  for (const CostKind kind : kCostKinds) {
    REQUIRE(comparison[kind].saving);
    CHECK(comparison[kind].saving->value == Approx(0.25));
    CHECK(comparison[kind].saving->low == 2);
    CHECK(comparison[kind].saving->high == 1);
  }
  CHECK(comparison[CostKind::tokens].saving->scratch_cost == Approx(400));
  CHECK(comparison[CostKind::seconds].saving->scratch_cost == Approx(600));
}

TEST_CASE("every staged run has a comparison of its own") {
  std::vector<Run> runs = fair();
  runs.push_back(run_of("staged", 120, 1.8));
  const Report report = make_report(runs);
  REQUIRE(report.comparisons.size() == 2);
  CHECK(report.comparisons[1].staged == 3);
  CHECK(report.comparisons[1][CostKind::flops].saving->value == Approx(0.4));
}

TEST_CASE("scratch runs alone make no comparison") {
  CHECK(make_report({run_of("scratch", 1, 2)}).comparisons.empty());
}

TEST_CASE("scratch runs that differ in more than their budget are not compared") {
  const auto changed = [](auto change) {
    std::vector<Run> runs = fair();
    change(runs[1]);
    CHECK(why_nothing(runs) ==
          "only one scratch run to compare with ended fully decayed, two are needed");
    return notes_of(runs);
  };
  using test::contains;
  CHECK(contains(changed([](Run& run) { run.final_model.vocab = 7; }), "has another model"));
  CHECK(contains(changed([](Run& run) { run.validation_fingerprint = "b"; }),
                 "scored on other validation data"));
  CHECK(contains(changed([](Run& run) { run.train_fingerprint = "b"; }), "trained on other data"));
  CHECK(contains(changed([](Run& run) { run.curve = "cosine"; }), "another learning-rate curve"));
  CHECK(contains(changed([](Run& run) { run.end.reset(); }), "has not ended"));
  CHECK(contains(changed([](Run& run) { run.end->decayed = false; }), "did not end fully decayed"));
  CHECK(contains(changed([](Run& run) { run.end->loss = kUnknown; }), "without a finite loss"));
  CHECK(contains(changed([](Run& run) { run.from = "old.h5"; }), "not start from fresh weights"));
}

TEST_CASE("a comparison that cannot be made says why") {
  std::vector<Run> runs = fair();
  runs[0].end->decayed = false;
  CHECK(test::contains(why_nothing(runs), "the staged run did not end fully decayed"));
  runs[0].end.reset();
  CHECK(why_nothing(runs) == "the staged run has not ended");
  CHECK(why_nothing({fair()[0]}) ==
        "no scratch run to compare with ended fully decayed, two are needed");
  runs = fair();
  runs[1].end->loss = 2.5;
  CHECK(test::contains(why_nothing(runs), "does not fall with their budget"));
}

TEST_CASE("runs of the same seed are paired where two or more have it") {
  std::vector<Run> runs = fair();
  runs.push_back(run_of("scratch", 200, 1.7));
  runs.back().seed = 2;
  CHECK(make_report(runs).comparisons[0].ends == std::vector<std::size_t>{2, 1});
  CHECK(test::contains(notes_of(runs), "Paired by seed"));
  runs[1].seed = 2;
  CHECK(make_report(runs).comparisons[0].ends == std::vector<std::size_t>{2, 3, 1});
  CHECK(test::contains(notes_of(runs), "other seeds"));
}

TEST_CASE("an end that another beats is set aside and said so") {
  std::vector<Run> runs = fair();
  runs.push_back(run_of("scratch", 300, 2.2));
  const Report report = make_report(runs);
  CHECK(report.comparisons[0].dominated == std::vector<std::size_t>{3});
  CHECK(report.comparisons[0][CostKind::flops].saving->value == Approx(0.25));
  CHECK(test::contains(notes_of(runs), "The scratch run scratch-300 is set aside"));
}

TEST_CASE("seconds on different machines are not compared, FLOPs are") {
  std::vector<Run> runs = fair();
  runs[1].device = "cuda:0";
  const Report report = make_report(runs);
  CHECK(report.comparisons[0][CostKind::flops].saving);
  CHECK_FALSE(report.comparisons[0][CostKind::seconds].saving);
  CHECK(test::contains(report.comparisons[0][CostKind::seconds].reason, "ran on another device"));
}

TEST_CASE("a log without seconds has its FLOPs compared") {
  std::vector<Run> runs = fair();
  for (Run& run : runs) run.end->at.seconds = kUnknown;
  const Report report = make_report(runs);
  CHECK(report.comparisons[0][CostKind::flops].saving);
  CHECK_FALSE(report.comparisons[0][CostKind::seconds].saving);
  CHECK_FALSE(report.comparisons[0][CostKind::seconds].reason.empty());
}
