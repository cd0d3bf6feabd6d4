// `stagedtrain report` as a user types it.
#include <cstdlib>

#include "base/json.h"
#include "support/catch.h"
#include "support/command.h"
#include "support/made_runs.h"
#include "support/refused.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::check_refused;
using test::contains;

namespace {

bool found_gnuplot() {
  if (std::system("command -v gnuplot >/dev/null 2>&1") == 0) return true;
  WARN("skipped: gnuplot is not installed (apt-get install gnuplot-nox)");
  return false;
}

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
