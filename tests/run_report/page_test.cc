// The page: whole, self-contained, safe, and there for every kind of input.
#include "run_report/page.h"

#include <fmt/format.h>

#include <tuple>

#include "figures/figure.h"
#include "figures/style.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/made_runs.h"
#include "support/skip.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

bool found_gnuplot() { return test::has_program("gnuplot", "gnuplot-nox"); }

std::string page_of(const Path& folder) {
  return make_page(make_report(read_runs({folder.string()})));
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("the page has a verdict, the figures, the tables and the fine print") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = page_of(folder.path());
  CHECK(contains(page, "<p class=\"verdict\">The staged run reached 1.6"));
  for (const char* part :
       {"What is compared: fully decayed ends", "Loss against FLOPs", "Loss against tokens",
        "Loss against wall-clock time", "2 → 6 layers", "What staging saved</caption>",
        "Runs</caption>", "Stages</caption>", "Growth</caption>", "How these numbers are made",
        "<th scope=\"row\">shallow</th>", "budget-1500", "<td>decayed</td>"}) {
    INFO(part);
    CHECK(contains(page, part));
  }
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(page.ends_with("</html>\n"));
  CHECK(count(page, "<svg role") == count(page, "</figure>") + 2);  // two are drawn for phones too
  CHECK(count(page, "<div") == count(page, "</div>"));
}

TEST_CASE("the page is self-contained") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = page_of(folder.path());
  for (const char* part :
       {"<script", "<link", "<img", "<iframe", "@import", "url(", "src=", "onload", "file:"}) {
    INFO(part);
    CHECK_FALSE(contains(page, part));
  }
  // The only addresses are the names of XML's own namespaces.
  CHECK(count(page, "http") == count(page, "http://www.w3.org/"));
}

TEST_CASE("every id on the page is there once") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = page_of(folder.path());
  for (std::size_t at = page.find(" id="); at != std::string::npos;
       at = page.find(" id=", at + 1)) {
    const std::string id = page.substr(at, page.find(page[at + 4], at + 5) + 1 - at);
    INFO(id);
    CHECK(count(page, id) == 1);
  }
}

TEST_CASE("text from a log cannot become part of the page's code") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  const std::string evil = "<script>alert('x')</script>\"&";
  for (const double steps : {1500.0, 3000.0})
    test::write_run(folder / ("<b>" + std::to_string(static_cast<int>(steps))),
                    {.stages = {{evil, 6, steps}}, .device = evil, .curve = evil});
  test::write_run(folder / "staged", {.role = "staged",
                                      .stages = {{"a", 2, 2100}, {evil, 6, 900}},
                                      .device = evil,
                                      .curve = evil});
  const std::string page = page_of(folder.path());
  CHECK(contains(page, "&lt;script&gt;"));
  CHECK_FALSE(contains(page, "<script"));
  CHECK_FALSE(contains(page, "<b>1500"));
}

TEST_CASE("the page shows the text that each stage's model wrote last") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_run(folder / "run", {.role = "staged", .stages = {{"a", 2, 2100}, {"b", 6, 900}}});
  std::string log = test::read_text(folder / "run/run.jsonl");
  for (const auto& [step, stage, text] : {std::tuple{500, "a", "early"},
                                          {2100, "a", "of the small one"},
                                          {3000, "b", "<b>of the large one"}})
    log += fmt::format(R"({{"event":"sample","step":{},"stage":"{}","samples":)"
                       R"([{{"prompt":"The light","text":"{}"}},{{"prompt":"Two","text":"."}}]}})"
                       "\n",
                       step, stage, text);
  test::write_text(folder / "run/run.jsonl", log);
  const std::string page = page_of(folder.path());
  const std::size_t at = page.find("The last text sampled in each stage</caption>");
  REQUIRE(at != std::string::npos);
  const std::string table = page.substr(at, page.find("</table>", at) - at);
  CHECK(count(table, "<td class=\"prose\">The light</td>") == 2);
  CHECK(count(table, "<td class=\"prose\">Two</td>") == 2);
  CHECK(contains(table, ">of the small one<"));
  CHECK(contains(table, "&lt;b&gt;of the large one"));
  CHECK_FALSE(contains(table, "early"));
}

TEST_CASE("one staged run alone has a page that says what is missing") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = page_of(folder / "staged");
  CHECK(contains(page, "no saving can be stated"));
  CHECK(contains(page, "from scratch at two or more budgets"));
  CHECK(contains(page, "Loss against FLOPs"));
  CHECK_FALSE(contains(page, "What is compared"));
}

TEST_CASE("scratch runs alone have a page") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const std::string page = page_of(folder / "scratch");
  CHECK(contains(page, "3 scratch runs, no staged run"));
  CHECK(contains(page, "Loss against FLOPs"));
}

TEST_CASE("a run that is still going has a page that says so") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_run(folder / "staged",
                  {.role = "staged", .stages = {{"a", 2, 2100}, {"b", 6, 900}}, .stop = 1200});
  const std::string page = page_of(folder.path());
  CHECK(contains(page, "the staged run has not ended"));
  CHECK(contains(page, "not ended: step 1,200 of 3,000"));
  CHECK(contains(page, "Not ended yet: "));
}

TEST_CASE("a run that has only begun has a page without figures") {
  const test::TempDir folder;
  test::write_run(folder / "staged",
                  {.role = "staged", .stages = {{"a", 2, 2100}, {"b", 6, 900}}, .stop = 5});
  const std::string page =
      make_page(make_report(read_runs({folder.path().string()})), {}, "no-such-gnuplot");
  CHECK(contains(page, "the staged run has not ended"));
  CHECK_FALSE(contains(page, "<figure>"));
}

TEST_CASE("the style sheet has a light and a dark value for every colour") {
  const std::string css(style_sheet());
  for (const Colour colour : all_colours()) {
    INFO(variable(colour));
    CHECK(count(css, variable(colour) + ": #") == 2);
  }
}

TEST_CASE("a page that is there is replaced only by force") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  test::write_made_runs(folder.path());
  const Report report = make_report(read_runs({folder.path().string()}));
  test::write_text(folder / "report.html", "old");
  test::refusal(ErrorKind::usage, [&] { write_page(report, folder / "report.html", false); });
  CHECK(test::read_text(folder / "report.html") == "old");
  write_page(report, folder / "report.html", true);
  CHECK(contains(test::read_text(folder / "report.html"), "<!DOCTYPE html>"));
}
