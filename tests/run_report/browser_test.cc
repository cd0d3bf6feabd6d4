// The report's page as a browser lays it out, on a phone and on a desk, by day and by night.
#include "support/browser.h"

#include "run_report/page.h"
#include "support/catch.h"
#include "support/made_runs.h"
#include "support/skip.h"
#include "support/temp_dir.h"
#include "text/text.h"

using namespace stagedtrain;
using namespace stagedtrain::report;

namespace {

bool can_measure() { return test::has_program("gnuplot", "gnuplot-nox") && test::has_browser(); }

void check_page(const Path& folder) {
  const Report report = make_report(read_runs({folder.string()}));
  const std::string page =
      make_page(report, {"stagedtrain report runs/demo-1a2b3c4d/staged runs/demo-1a2b3c4d/scratch "
                         "--out runs/demo-1a2b3c4d/report.html",
                         "2026-11-28T05:00:00Z"});
  for (const auto scheme : {test::Scheme::light, test::Scheme::dark}) {
    INFO((scheme == test::Scheme::dark ? "dark" : "light"));
    CHECK(join(test::page_faults(page, {400, 1200}, scheme), "\n").empty());
  }
}

}  // namespace

TEST_CASE("the page fits phones and desks, and no label lies over another") {
  if (!can_measure()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  check_page(folder.path());
}

TEST_CASE("so does the page of a staged run that lost") {
  if (!can_measure()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  test::write_run(
      folder / "staged",
      {.role = "staged", .stages = {{"shallow", 2, 1200}, {"full", 6, 900}}, .worse = 0.03});
  check_page(folder.path());
}

TEST_CASE("so does the page of several staged runs, of scratch budgets close together, of seeds") {
  if (!can_measure()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  test::write_run(folder / "staged-late",
                  {.role = "staged", .stages = {{"shallow", 2, 2500}, {"full", 6, 500}}});
  for (const double steps : {1550.0, 1600.0, 2150.0})
    test::write_run(folder / "scratch" / ("budget-" + std::to_string(static_cast<int>(steps))),
                    {.stages = {{"full", 6, steps}}});
  test::write_run(
      folder / "other-seed",
      {.role = "staged", .stages = {{"shallow", 2, 2100}, {"full", 6, 900}}, .seed = 2});
  check_page(folder.path());
}

TEST_CASE("so does the page of one run alone") {
  if (!can_measure()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  check_page(folder / "staged");
}

TEST_CASE("the measurements find what they are for") {
  if (!test::has_browser()) return;
  const std::string bad =
      "<html><body style='background:#fff'><div style='width:700px'>wide</div>"
      "<p style='color:#ccc'>pale</p><p style='width:1ch;word-break:break-all'>broken</p>"
      "<figure><svg aria-label='two' width='200' height='50'><text x='10' y='30'>first</text>"
      "<text x='20' y='32'>second</text></svg></figure>"
      "<div><div class='scroll' aria-label='t' style='overflow-x:auto;width:100px'>"
      "<div style='width:300px'>x</div></div></div></body></html>";
  const std::string faults = join(test::page_faults(bad, {400}, test::Scheme::light), "\n");
  INFO(faults);
  for (const char* part : {"the page is 7", "'pale' has a contrast", "'broken' is broken",
                           "'first' and 'second' overlap", "scrolls and does not say so"})
    CHECK(faults.find(part) != std::string::npos);
}
