// gnuplot as a child process: pictures, colours, and trouble with the program.
#include "figures/gnuplot.h"

#include "support/catch.h"
#include "support/errors.h"
#include "support/skip.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using namespace stagedtrain::report;
using test::contains;

namespace {

bool found_gnuplot() { return test::has_program("gnuplot", "gnuplot-nox"); }

Figure line_figure(const std::string& label) {
  Figure figure{.title = "t", .x = {.title = "steps"}, .y = {.title = "loss"}};
  figure.lines.push_back({.points = {{0, 0}, {1, 1}}, .colour = {Ink::staged, 1}});
  figure.labels.push_back({.at = {0.5, 0.5}, .text = label});
  return figure;
}

}  // namespace

TEST_CASE("figures become SVG pictures, in order, with their text and colours") {
  if (!found_gnuplot()) return;
  const auto drawn = draw({line_figure("first"), line_figure("second")});
  REQUIRE(drawn.size() == 2);
  CHECK(contains(drawn[0], ">first<"));
  CHECK(contains(drawn[1], ">second<"));
  const std::string inlined = inline_svg(drawn[0], "p-", "a");
  CHECK(inlined.starts_with("<svg role"));
  CHECK(contains(inlined, "var(--staged-1)"));
  CHECK(contains(inlined, "var(--muted)"));
  CHECK_FALSE(contains(inlined, "rgb(  1"));
}

TEST_CASE("gnuplot takes no label as a command, and escapes it for the page") {
  if (!found_gnuplot()) return;
  const test::TempDir folder;
  const std::string made = (folder / "made").string();
  const auto drawn = draw({line_figure("a'\nsystem 'touch " + made + "'\n`touch " + made +
                                       "` @x {/Bold b} <script>&")});
  CHECK_FALSE(std::filesystem::exists(made));
  CHECK(contains(drawn[0], "&lt;script>&amp;"));
  CHECK(contains(drawn[0], "{/Bold b}"));
  CHECK_FALSE(contains(drawn[0], "<script"));
}

TEST_CASE("no figures need no gnuplot") { CHECK(draw({}, "no-such-program").empty()); }

TEST_CASE("a missing gnuplot is named with its package") {
  const std::string message =
      test::refusal(ErrorKind::resource, [] { draw({line_figure("a")}, "no-such-gnuplot"); });
  CHECK(contains(message, "no-such-gnuplot was not found"));
  CHECK(contains(message, "apt-get install gnuplot-nox"));
}

TEST_CASE("a gnuplot that fails or draws nothing is reported") {
  const auto refusal = [](const char* program) {
    return test::refusal(ErrorKind::resource, [&] { draw({line_figure("a")}, program); });
  };
  CHECK(contains(refusal("false"), "false failed with exit code 1"));
  CHECK(contains(refusal("true"), "true drew nothing"));
}
