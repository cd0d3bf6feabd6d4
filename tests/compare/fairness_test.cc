// Which differences between runs forbid a comparison.
#include "compare/fairness.h"

#include "compare/comparison.h"
#include "support/catch.h"
#include "support/made_runs.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/text.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

Run logged_run() {
  Run run;
  run.final_model.layers = 6;
  run.curve = "wsd";
  run.train_data = "data/train.bin", run.train_fingerprint = "1234abcd";
  run.validation_data = "data/validation.bin", run.validation_fingerprint = "5678abcd";
  run.settings = {{"batch.sequences", "8"},  {"batch.micro", "8"},
                  {"lr.peak", "0.003"},      {"dropout", "0"},
                  {"evaluate.every", "350"}, {"evaluate.tokens", "65536"},
                  {"log.every", "10"},       {"checkpoint.every", "500"}};
  return run;
}

std::string differing(const Run& run) { return join(differences(run, logged_run()), "; "); }

std::string with_setting(const std::string& key, const std::string& value) {
  Run run = logged_run();
  for (runlog::Setting& setting : run.settings)
    if (setting.key == key) setting.value = value;
  return differing(run);
}

}  // namespace

TEST_CASE("runs of the same log differ in nothing") { CHECK(differing(logged_run()).empty()); }

TEST_CASE("settings that change what a budget buys are named with both values") {
  CHECK(with_setting("lr.peak", "0.01") == "lr.peak is 0.01, not 0.003");
  CHECK(with_setting("dropout", "0.1") == "dropout is 0.1, not 0");
  CHECK(with_setting("batch.sequences", "4") == "batch.sequences is 4, not 8");
  CHECK(with_setting("evaluate.tokens", "1024") == "evaluate.tokens is 1024, not 65536");
}

TEST_CASE("settings that change no loss may differ") {
  for (const char* key : {"batch.micro", "evaluate.every", "log.every", "checkpoint.every"}) {
    INFO(key);
    CHECK(with_setting(key, "77").empty());
  }
}

TEST_CASE("a setting that only one log has, and one that schedules do not have yet, count") {
  Run run = logged_run();
  run.settings.push_back({"optimizer.kind", "muon"});
  CHECK(differing(run) == "optimizer.kind is muon, and not in the other log");
  CHECK(join(differences(logged_run(), run), "; ") ==
        "optimizer.kind is not in its log, and muon in the other");
}

TEST_CASE("the same tokens under another path are the same data, other tokens under it are not") {
  Run run = logged_run();
  run.train_data = "/elsewhere/train.bin";
  run.validation_data = "../data/validation.bin";
  CHECK(differing(run).empty());
  run = logged_run();
  run.train_fingerprint = "ffffffff";
  CHECK(contains(differing(run), "trained on other data"));
  CHECK(contains(differing(run), "fingerprint ffffffff"));
  run = logged_run();
  run.validation_fingerprint = "ffffffff";
  CHECK(contains(differing(run), "scored on other validation data"));
}

TEST_CASE("without fingerprints the paths decide, in whatever spelling") {
  Run run = logged_run();
  run.train_fingerprint.clear();
  run.train_data = "./data//train.bin";
  CHECK(differing(run).empty());
  run.train_data = "data/other.bin";
  CHECK(contains(differing(run), "trained on other data (data/other.bin"));
}

TEST_CASE("what old logs do not record is told") {
  CHECK(unchecked(logged_run(), logged_run()).empty());
  Run run = logged_run();
  run.settings.clear();
  CHECK(contains(unchecked(run, logged_run()), "learning rate"));
  run.train_fingerprint.clear();
  CHECK(contains(unchecked(run, logged_run()), "contents of the token files"));
}

TEST_CASE("a scratch run that differs is not compared, and the report says in what") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  std::vector<Run> runs = read_runs({folder.path().string()});
  for (Run& run : runs)
    if (!run.staged())
      for (runlog::Setting& setting : run.settings)
        if (setting.key == "lr.peak") setting.value = "0.01";
  const Report report = make_report(runs);
  REQUIRE(report.comparisons.size() == 1);
  CHECK(report.comparisons[0].ends.empty());
  CHECK_FALSE(report.comparisons[0][CostKind::flops].saving);
  CHECK(contains(join(report.comparisons[0].notes, "\n"), "lr.peak is 0.01, not 0.003"));
}
