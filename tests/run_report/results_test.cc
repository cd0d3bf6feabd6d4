// The report as text and as JSON.
#include "run_report/results.h"

#include <cmath>

#include "run_report/report_tables.h"
#include "support/catch.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

Report made_report() {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  return make_report(read_runs({folder.path().string()}));
}

}  // namespace

TEST_CASE("the costs of the stages add up to the run") {
  const Report report = made_report();
  const Run& staged = report.runs[report.comparisons.at(0).staged];
  const std::vector<StageTotals> costs = stage_totals(staged);
  REQUIRE(costs.size() == 2);
  CHECK(costs[0].steps == 2100);
  CHECK(costs[1].steps == 900);
  CHECK(costs[0].tokens + costs[1].tokens == staged.end->at.tokens);
  CHECK(costs[0].flops + costs[1].flops == Approx(staged.end->at.flops));
  CHECK(costs[0].flops == Approx(staged.stages[0].flops_per_token * costs[0].tokens));
  CHECK(costs[1].loss == Approx(staged.end->loss));
  CHECK(costs[0].ended);
}

TEST_CASE("a stage that is still going has its cost so far, one to come has none") {
  const test::TempDir folder;
  test::write_run(folder.path(),
                  {.role = "staged", .stages = {{"a", 2, 2100}, {"b", 6, 900}}, .stop = 1200});
  const std::vector<StageTotals> costs = stage_totals(runlog::read_log(folder / "run.jsonl", "r"));
  REQUIRE(costs.size() == 2);
  CHECK(costs[0].steps == 1200);
  CHECK_FALSE(costs[0].ended);
  CHECK(std::isnan(costs[1].steps));
}

TEST_CASE("text has the verdict, the runs and the savings, in lines of a terminal") {
  const std::string text = to_text(made_report());
  INFO(text);
  CHECK(text.starts_with("The staged run reached"));
  CHECK(contains(text, "\nscratch/budget-1500"));  // without the folder that all names share
  CHECK(contains(text, "wall-clock time"));
  CHECK(contains(text, "saved at the same loss"));
  CHECK(text.ends_with("\n"));
}

TEST_CASE("text says which stages had a policy, and what a token was to cost under it") {
  Report report = made_report();
  CHECK_FALSE(contains(to_text(report), "policies of"));
  Run& run = report.runs[report.comparisons.at(0).staged];
  run.stages[0].policy = "ffn_path";
  run.stages[0].expected_flops_per_token = 0.75 * run.stages[0].flops_per_token;
  run.stages[1].train_only = "new";
  CHECK(contains(to_text(report),
                 fmt::format("policies of {}: {}: ffn_path, 25.0% fewer FLOPs for a token;",
                             run.name, run.stages[0].name)));
  CHECK(contains(to_text(report), run.stages[1].name + ": train_only: new"));
}

TEST_CASE("every staged run has its prediction beside what came out, or why there is none") {
  Report report = made_report();
  CHECK(contains(to_text(report), "no prediction, because its log holds no prediction"));
  Run& staged = report.runs[report.comparisons.at(0).staged];
  staged.prediction = {"laws.json", "measured", {1.5, 1.4, 1.6}, {0.12, 0.05, 0.2}, {}, ""};
  const Table table = run_predictions_table(report);
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0][2] == "1.5000");
  CHECK(table.rows[0][3] == "1.4000 to 1.6000");
  CHECK(table.rows[1][1] == "saving of FLOPs");
  CHECK(table.rows[1][2] == "12.0%");
  CHECK(table.rows[1][4].ends_with("%"));
  const std::string text = to_text(report);
  INFO(text);
  CHECK(contains(text, "the law laws.json, measured"));
  const Json json = to_json(report);
  CHECK(json["runs"][3]["prediction"]["saving"]["value"] == 0.12);
  staged.prediction.why_not = "the law does not cover it";
  CHECK(contains(to_text(report), "no prediction, because the law does not cover it"));
}

TEST_CASE("JSON has runs, comparisons and savings under stable keys") {
  const Report report = made_report();
  const Json json = parse_json(to_json(report).dump(), "json");
  REQUIRE(json["runs"].size() == 4);
  const Json& staged = json["runs"][3];
  CHECK(staged["role"] == "staged");
  CHECK(staged["model"]["layers"] == 6);
  CHECK(staged["step"] == 3000);
  CHECK(staged["threads"].dump() == "2");  // whole numbers have no point
  CHECK(staged["ended"] == true);
  CHECK(staged["stages"][0]["steps"] == 2100);
  CHECK(staged["growths"][0]["params_after"] == staged["params"]);
  REQUIRE(json["comparisons"].size() == 1);
  const Json& comparison = json["comparisons"][0];
  CHECK(comparison["staged"] == staged["name"]);
  CHECK(comparison["scratch"].size() == 3);
  for (const char* kind : {"flops", "tokens", "seconds"}) {
    INFO(kind);
    const Json& result = comparison["savings"][kind];
    CHECK(result["saving"]["reach"].is_string());
    CHECK(result["saving"]["between"].size() == 2);
    CHECK(result["loss_gap"].contains("scratch_loss"));
    CHECK(result["reason"] == "");
  }
  CHECK(comparison["savings"]["flops"]["saving"]["value"] ==
        report.comparisons[0][CostKind::flops].saving->value);
}

TEST_CASE("JSON has null for what is not known") {
  Run run;
  run.role = "staged";
  const Json json = to_json(make_report({run}));
  CHECK(json["runs"][0]["loss"].is_null());
  CHECK(json["runs"][0]["step"].is_null());
  CHECK(json["comparisons"][0]["savings"]["flops"]["saving"].is_null());
  CHECK(json["comparisons"][0]["savings"]["flops"]["reason"] == "the staged run has not ended");
}

TEST_CASE("the fit of a growth's maps stands beside the growth") {
  Report report = made_report();
  Run& staged = report.runs[report.comparisons.at(0).staged];
  const std::size_t columns = growths_table(report).columns.size();
  staged.fits.push_back({.stage = staged.growths.at(0).stage,
                         .steps = 100,
                         .tokens = 1e5,
                         .flops = 2e12,
                         .seconds = 44,
                         .loss_before = 2.8,
                         .loss_after = 2.5});
  const Table table = growths_table(report);
  CHECK(table.columns.size() == columns + 1);
  INFO(table.rows.at(0).back());
  CHECK(contains(table.rows.at(0).back(), "100 steps, 100K tokens, 2.00 TFLOPs, 44"));
  CHECK(contains(table.rows.at(0).back(), "loss 2.8000 to 2.5000"));
  CHECK(to_json(report)["runs"][3]["fits"][0]["fit_flops"] == 2e12);
}

TEST_CASE("what choosing data cost stands in a table and in JSON, if a run chose") {
  Report report = made_report();
  CHECK(selections_table(report).rows.empty());
  CHECK_FALSE(contains(to_text(report), "Data selection"));
  Run& staged = report.runs[report.comparisons.at(0).staged];
  const double all = staged.last().flops;
  for (const double passes : {1.0, 0.0, 1.0})
    staged.selections.push_back({.stage = "full",
                                 .windows = 4000,
                                 .selected = 1000,
                                 .passes = passes,
                                 .flops = passes * all / 8,
                                 .seconds = 10});
  const Table table = selections_table(report);
  REQUIRE(table.rows.size() == 1);
  const std::vector<std::string>& row = table.rows[0];
  CHECK(std::vector(row.begin() + 1, row.begin() + 5) ==
        std::vector<std::string>{"4,000", "1,000", "3", "2"});
  CHECK(row[6] == "25.0%");
  CHECK(contains(to_text(report), "Data selection, counted in all costs"));
  CHECK(to_json(report)["runs"][3]["selections"][2]["select_flops"] == all / 8);
}
