// Figures as gnuplot scripts: round ticks, and no text that gnuplot would obey.
#include "figures/figure.h"

#include <algorithm>

#include "support/catch.h"
#include "support/text_file.h"

using namespace stagedtrain::report;
using stagedtrain::test::contains;

namespace {

std::string ticks(const std::vector<Tick>& list) {
  std::string text;
  for (const Tick& tick : list) text += (text.empty() ? "" : " ") + tick.text;
  return text;
}

Figure plain() {
  Figure figure{.title = "title", .x = {.title = "x"}, .y = {.title = "y"}};
  figure.lines.push_back({.points = {{0, 0}, {1, 1}}});
  return figure;
}

}  // namespace

TEST_CASE("linear ticks are round and have just the digits they need") {
  CHECK(ticks(linear_ticks(0, 10, 5)) == "0 2 4 6 8 10");
  CHECK(ticks(linear_ticks(1.61, 1.83, 5)) == "1.65 1.70 1.75 1.80");
  CHECK(ticks(linear_ticks(-1, 1, 4)) == "-1.0 -0.5 0.0 0.5 1.0");
  CHECK(linear_ticks(1, 1, 4).empty());
}

TEST_CASE("log ticks are round and at least four") {
  CHECK(ticks(log_ticks(1, 10000)) == "1 10 100 1000 10000");
  CHECK(ticks(log_ticks(0.9, 60)) == "1 3 10 30");
  CHECK(log_ticks(1.9, 2.1).size() >= 4);
}

TEST_CASE("text in a script cannot end its quotes or start a line") {
  Figure figure = plain();
  figure.labels.push_back({.at = {0, 0}, .text = "a'\nsystem 'touch /tmp/x'\n`id`"});
  figure.x.title = "x' ; shell '";
  const std::string script = gnuplot_script(figure, "out.svg");
  INFO(script);
  CHECK(contains(script, "set label 'a'' system ''touch /tmp/x'' ''id'''"));
  CHECK(contains(script, "set xlabel 'x'' ; shell '''"));
  CHECK_FALSE(contains(script, "`"));
}

TEST_CASE("a figure without points is drawn as an empty frame") {
  CHECK(contains(gnuplot_script(Figure{}, "out.svg"), "plot NaN\n"));
}

TEST_CASE("an SVG becomes part of a page: no prolog, ids of its own, an alternative text") {
  const std::string svg =
      "<?xml version='1.0'?><!DOCTYPE svg><svg width='1'><title>Gnuplot</title><desc>made</desc>"
      "<path id='gpDot'/><use href='#gpDot'/><g id=\"gnuplot_plot_1\"/></svg>";
  CHECK(inline_svg(svg, "p-", "loss") ==
        "<svg role=\"img\" aria-label=\"loss\" width='1'><path id='p-gpDot'/><use href='#p-gpDot'/>"
        "<g id=\"p-gnuplot_plot_1\"/></svg>");
}

TEST_CASE("every colour has a variable of its own") {
  std::vector<std::string> names;
  for (const Colour colour : all_colours()) names.push_back(variable(colour));
  std::ranges::sort(names);
  CHECK(std::ranges::adjacent_find(names) == names.end());
  CHECK(variable({Ink::staged, 2}) == "--staged-2");
  CHECK(variable({Ink::staged, kStagedShades + 1}) == "--staged-1");
}
