// `stagedtrain report` as a user types it.
#include <algorithm>
#include "support/catch.h"
#include "support/command.h"
#include "support/made_runs.h"
#include "support/refused.h"
#include "support/skip.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

bool found_gnuplot() { return test::has_program("gnuplot", "gnuplot-nox"); }

}  // namespace

TEST_CASE("report writes a page and prints the verdict") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = (folder / "report.html").string();
  const auto result = test::stagedtrain({"report", folder.path().string(), "--out", page});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(contains(result.out, "fewer FLOPs"));
  CHECK(contains(result.out, "page  " + page));
  CHECK(contains(test::read_text(page), "</html>"));
}

TEST_CASE("report --json prints JSON and nothing else, and needs no gnuplot without a page") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const auto result =
      test::run({.arguments = {test::program(), "report", (folder / "staged").string(),
                               (folder / "scratch").string(), "--json"},
                 .environment = {{"PATH", folder.path().string()}}});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const Json json = parse_json(result.out, "stdout");
  CHECK(json["runs"].size() == 4);
  CHECK(json["comparisons"][0]["savings"]["flops"]["saving"]["value"] > 0.1);
  CHECK(json["page"].is_null());
}

TEST_CASE("report refuses to replace a page without --force") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = (folder / "report.html").string();
  test::write_text(page, "mine");
  const std::string runs = folder.path().string();
  check_refused(test::stagedtrain({"report", runs, "--out", page}), 2, "report.html");
  CHECK(test::read_text(page) == "mine");
  CHECK(test::stagedtrain({"report", runs, "--out", page, "--force"}).exit_code == 0);
  CHECK(contains(test::read_text(page), "</html>"));
}

TEST_CASE("report without gnuplot says which package to install and writes nothing") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const auto result =
      test::run({.arguments = {test::program(), "report", (folder / "staged").string(), "--out",
                               (folder / "report.html").string()},
                 .environment = {{"PATH", folder.path().string()}}});
  check_refused(result, 4, "gnuplot was not found");
  CHECK(contains(result.err, "gnuplot-nox"));
  CHECK_FALSE(std::filesystem::exists(folder / "report.html"));
}

TEST_CASE("report refuses folders without runs and logs that are not whole") {
  const test::TempDir folder;
  check_refused(test::stagedtrain({"report", (folder / "no").string()}), 3, "no such run folder");
  check_refused(test::stagedtrain({"report", folder.path().string()}), 3, "found no run.jsonl");
  test::write_text(folder / "run.jsonl", "one\ntwo\n");
  check_refused(test::stagedtrain({"report", folder.path().string()}), 3,
                "run.jsonl: is not the log of a run");
  test::write_text(folder / "run.jsonl", "{one\ntwo\n");
  check_refused(test::stagedtrain({"report", folder.path().string()}), 3,
                "run.jsonl:1: not valid JSON");
  check_refused(test::stagedtrain({"report"}), 2, "run");
}

TEST_CASE("report tells of a run that is still going") {
  const test::TempDir folder;
  test::write_run(folder.path(),
                  {.role = "staged", .stages = {{"a", 2, 2100}, {"b", 6, 900}}, .stop = 1200});
  const auto result = test::stagedtrain({"report", folder.path().string()});
  INFO(result.out);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.out, "the staged run has not ended"));
  CHECK(contains(result.out, "not ended: step 1,200 of 3,000"));
}

TEST_CASE("report writes nothing but the page, unless it is asked to learn") {
  const test::TempDir folder;
  test::write_made_runs(folder / "runs");
  const auto report_with = [&](std::vector<std::string> more) {
    std::vector<std::string> words{test::program(), "report", (folder / "runs").string()};
    words.insert(words.end(), more.begin(), more.end());
    return test::run(
        {.arguments = words, .environment = {{"XDG_CACHE_HOME", (folder / "cache").string()}}});
  };
  const auto silent = report_with({});
  INFO(silent.err);
  CHECK(silent.exit_code == 0);
  CHECK_FALSE(contains(silent.out, "added to"));
  CHECK_FALSE(std::filesystem::exists(folder / "cache"));
  CHECK(parse_json(report_with({"--json"}).out, "stdout")["outcomes_stored_in"].is_null());
  CHECK_FALSE(std::filesystem::exists(folder / "cache"));
  const auto learning = report_with({"--store-outcomes", "--json"});
  CHECK(learning.exit_code == 0);
  const std::string file = (folder / "cache/stagedtrain/growths.json").string();
  CHECK(parse_json(learning.out, "stdout")["outcomes_stored_in"] == file);
  CHECK(std::filesystem::exists(file));
}

TEST_CASE("report uses what is known of damaged runs and says what is not") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const auto log = folder / "scratch/budget-1500/run.jsonl";
  std::string text = test::read_text(log);
  text.replace(text.find("\n", 2000) + 1, 3, "???");
  test::write_text(log, text);
  std::filesystem::create_directories(folder / "scratch/budget-900");
  test::write_text(folder / "scratch/budget-900/schedule.yaml", "seed: 1\n");
  const auto result = test::stagedtrain({"report", folder.path().string()});
  INFO(result.out);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.out, "fewer FLOPs"));
  CHECK(contains(result.out, "1 line of the log was skipped"));
  CHECK(contains(result.out, "run.jsonl is missing from this run folder"));
  const auto json = test::stagedtrain({"report", folder.path().string(), "--json"});
  CHECK(parse_json(json.out, "stdout")["problems"].size() == 2);
}

TEST_CASE("runs that differ in what matters are not compared, and the report names the keys") {
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const auto edit = [&](const char* from, const char* to) {
    for (const char* budget : {"budget-1500", "budget-2100", "budget-3000"}) {
      const auto log = folder / (std::string("scratch/") + budget + "/run.jsonl");
      std::string text = test::read_text(log);
      REQUIRE(contains(text, from));
      text.replace(text.find(from), std::string(from).size(), to);
      test::write_text(log, text);
    }
    std::string out = test::stagedtrain({"report", folder.path().string()}).out;
    std::ranges::replace(out, '\n', ' ');  // sentences are wrapped
    return out;
  };
  const auto [from, to, says] = GENERATE(table<const char*, const char*, const char*>(
      {{R"("lr.peak":"0.003")", R"("lr.peak":"0.01")", "lr.peak is 0.01, not 0.003"},
       {R"("dropout":"0")", R"("dropout":"0.1")", "dropout is 0.1, not 0"},
       {R"("optimizer.weight_decay":"0.1")", R"("optimizer.weight_decay":"0")",
        "optimizer.weight_decay is 0, not 0.1"},
       {R"("batch.sequences":"16")", R"("batch.sequences":"8")", "batch.sequences is 8, not 16"},
       {R"("evaluate.tokens":"65536")", R"("evaluate.tokens":"1024")",
        "evaluate.tokens is 1024, not 65536"},
       {R"("train_fingerprint":"1234abcd")", R"("train_fingerprint":"ffffffff")",
        "trained on other data"}}));
  const std::string out = edit(from, to);
  INFO(out);
  CHECK(contains(out, "no saving can be stated"));
  CHECK(contains(out, says));
  CHECK_FALSE(contains(out, "fewer FLOPs"));
}

TEST_CASE("names from folders and logs cannot write to the terminal") {
  const test::TempDir folder;
  const std::string name = "a\x1b]0;owned\x07\x1b[2J";
  test::write_run(folder / name,
                  {.role = "staged", .stages = {{"x\x1b[31m", 2, 2100}, {"full", 6, 900}}});
  const auto result = test::stagedtrain({"report", folder.path().string()});
  CHECK(result.exit_code == 0);
  for (const char c : result.out) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
  CHECK_FALSE(contains(result.out, "\x1b"));
}
