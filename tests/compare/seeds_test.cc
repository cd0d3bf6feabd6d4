// Runs that differ in their seed alone, averaged.
#include "compare/seeds.h"

#include <algorithm>
#include <cmath>

#include "compare/comparison.h"
#include "compare/run_names.h"
#include "run_report/phrases.h"
#include "run_report/results.h"
#include "support/catch.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

// The same staged and scratch runs for two seeds, the second 0.02 nats worse everywhere.
std::vector<Run> two_seeds() {
  const test::TempDir folder;
  for (const double seed : {1.0, 2.0}) {
    const auto at = folder / (seed == 1 ? "seed-1" : "seed-2");
    const double worse = 0.02 * (seed - 1);
    test::write_run(at / "staged", {.role = "staged",
                                    .stages = {{"shallow", 2, 2100}, {"full", 6, 900}},
                                    .seed = seed,
                                    .worse = worse});
    for (const double steps : {1500.0, 3000.0})
      test::write_run(at / ("budget-" + std::to_string(static_cast<int>(steps))),
                      {.stages = {{"full", 6, steps}}, .seed = seed, .worse = worse});
  }
  return read_runs({folder.path().string()});
}

}  // namespace

TEST_CASE("runs that differ in their seed alone become one, with means and errors over seeds") {
  const std::vector<Run> runs = two_seeds();
  REQUIRE(runs.size() == 6);
  const std::vector<Run> means = mean_over_seeds(runs);
  REQUIRE(means.size() == 3);
  const Run& one = runs.front();
  const Run& mean = means.front();
  CHECK(mean.samples.size() == 2);
  CHECK(seeds_of(mean) == std::vector<double>{1, 2});
  CHECK(mean.end->loss == Approx(one.end->loss + 0.01));
  CHECK(mean.end->se == Approx(0.01));  // of two values 0.02 apart
  CHECK(mean.end->at.flops == Approx(one.end->at.flops));
  REQUIRE(mean.evaluations.size() == one.evaluations.size());
  CHECK(mean.evaluations[3].loss == Approx(one.evaluations[3].loss + 0.01));
  CHECK(mean.steps.size() == one.steps.size());
  CHECK(mean.name.ends_with("/budget-1500"));
}

TEST_CASE("a mean is named after the folders that its seeds share") {
  const auto named = [](const std::string& one, const std::string& other) {
    Run run;
    run.role = "staged";
    run.samples = {{one, 1, 2.0}, {other, 2, 2.1}};
    name_mean(run);
    return run.name;
  };
  CHECK(named("out/copied/seed-1", "out/copied/seed-2") == "out/copied");
  CHECK(named("out/from-scratch/seed-1/budget-9", "out/from-scratch/seed-2/budget-9") ==
        "out/from-scratch/budget-9");
  CHECK(named("seed-1", "seed-2") == "staged");
  CHECK(named("runs/s1", "runs/s2") == "runs/staged");
}

TEST_CASE("the comparison is that of the means, and says so") {
  const Report report = make_report(two_seeds());
  REQUIRE(report.comparisons.size() == 1);
  CHECK(report.comparisons[0].ends.size() == 2);
  REQUIRE(report.comparisons[0][CostKind::flops].saving);
  CHECK(contains(verdict(report, report.comparisons[0]), "(mean of seeds 1, 2)"));
  std::string fine;
  for (const std::string& sentence : fine_print(report, report.comparisons[0])) fine += sentence;
  CHECK(contains(fine, "averaged (seeds 1, 2)"));
  CHECK_FALSE(contains(fine, "One seed"));
  const Json json = to_json(report);
  CHECK(json["runs"][0]["samples"].size() == 2);
  CHECK(report.runs[0].label == "budget-1500, mean of seeds 1, 2");
  CHECK(contains(to_text(report), "seed-2/budget-1500"));
}

TEST_CASE("the error of a saving is over the savings of single seeds") {
  std::vector<Run> runs = two_seeds();
  for (Run& run : runs)
    if (run.staged() && run.seed == 2.0) run.end->loss += 0.03;
  std::vector<double> savings;
  for (const Comparison& one : make_report(runs, Seeds::apart).comparisons)
    savings.push_back(one[CostKind::flops].saving->value);
  REQUIRE(savings.size() == 2);
  REQUIRE(std::abs(savings[0] - savings[1]) > 0.01);
  const Report report = make_report(runs);
  const CostResult& flops = report.comparisons.at(0)[CostKind::flops];
  CHECK(flops.paired);
  CHECK(flops.saving->se == Approx(std::abs(savings[0] - savings[1]) / 2));
  CHECK(flops.saving->value == Approx((savings[0] + savings[1]) / 2).margin(0.01));
}

TEST_CASE("a staged run of fewer seeds is compared with scratch runs of its seeds alone") {
  const auto compared = [](const std::vector<Run>& some) {
    return make_report(some).comparisons.at(0);
  };
  std::vector<Run> runs = two_seeds(), of_one;
  for (const Run& run : runs)
    if (run.seed == 1.0) of_one.push_back(run);
  std::erase_if(runs, [](const Run& run) { return run.seed == 2.0 && run.staged(); });
  for (Run& run : runs)  // with the mean of both seeds it would save more
    if (run.seed == 2.0) run.end->loss += 0.05;
  const Report report = make_report(runs);
  CHECK(report.runs.size() == 3);
  const Comparison &alone = compared(of_one), &paired = report.comparisons.at(0);
  for (const CostKind kind : {CostKind::flops, CostKind::tokens}) {
    CHECK(paired[kind].paired);
    CHECK(paired[kind].saving->value == Approx(alone[kind].saving->value));
    CHECK(paired[kind].saving->scratch_cost == Approx(alone[kind].saving->scratch_cost));
    CHECK(paired[kind].saving->se == Approx(alone[kind].saving->se));
    CHECK(paired[kind].gap->value == Approx(alone[kind].gap->value));
    CHECK(paired[kind].gap->scratch_loss == Approx(alone[kind].gap->scratch_loss));
  }
  CHECK(report.runs[paired.ends[0]].label == "budget-1500, mean of seeds 1, 2");
  std::string fine;
  for (const std::string& sentence : fine_print(report, paired)) fine += sentence;
  CHECK(contains(fine, "the scratch runs of its own seed"));
  CHECK_FALSE(contains(fine, "have other seeds"));
  CHECK_FALSE(contains(fine, "over seeds;"));
  // Seeds that the scratch runs do not have: the means are all there is.
  for (Run& run : runs)
    if (run.staged()) run.seed = 9;
  const Comparison strange = compared(runs);
  CHECK_FALSE(strange[CostKind::flops].paired);
  CHECK(strange[CostKind::flops].saving->value > alone[CostKind::flops].saving->value + .01);
  CHECK(std::ranges::count(strange.notes,
                           "The scratch runs have other seeds than the staged run.") == 1);
}

TEST_CASE("of three seeds, a staged run of two is compared with those two") {
  std::vector<Run> runs = two_seeds();
  for (const Run& run : two_seeds())
    if (run.seed == 2.0 && !run.staged()) {
      runs.push_back(run);
      runs.back().seed = 3;
      runs.back().end->loss += 0.07;
    }
  const CostResult with_third = make_report(runs).comparisons.at(0)[CostKind::flops];
  const CostResult of_two = make_report(two_seeds()).comparisons.at(0)[CostKind::flops];
  CHECK(with_third.paired);
  CHECK(with_third.saving->value == Approx(of_two.saving->value).margin(1e-3));
  CHECK(with_third.saving->se == Approx(of_two.saving->se));
}

TEST_CASE("errors are paired only where every seed has scratch runs of its own") {
  std::vector<Run> runs = two_seeds();
  std::erase_if(runs, [](const Run& run) { return run.seed == 2.0 && !run.staged(); });
  const Report report = make_report(runs);
  REQUIRE(report.comparisons.size() == 1);
  CHECK_FALSE(report.comparisons[0][CostKind::flops].paired);
}

TEST_CASE("runs that differ in more than their seed, and runs of one seed, stay apart") {
  std::vector<Run> runs = two_seeds();
  for (runlog::Setting& setting : runs.back().settings)
    if (setting.key == "dropout") setting.value = "0.1";
  CHECK(std::ranges::count_if(mean_over_seeds(runs), &Run::staged) == 2);
  runs = two_seeds();
  for (Run& run : runs) run.seed = 1;
  CHECK(mean_over_seeds(runs).size() == 6);
  for (Run& run : runs) run.seed.reset();
  CHECK(mean_over_seeds(runs).size() == 6);
  CHECK(make_report(two_seeds(), Seeds::apart).runs.size() == 6);
}

TEST_CASE("a run that has not ended is not averaged") {
  std::vector<Run> runs = two_seeds();
  runs.front().end.reset();
  CHECK(mean_over_seeds(runs).size() == 4);
}
