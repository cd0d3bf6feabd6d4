// What does a plot consist of? Axes, lines, points, labels and arrows. It is written as a gnuplot
// script.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::report {

// Colours by meaning. The page's style sheet gives each a light and a dark value.
enum class Ink { ink, muted, grid, paper, good, scratch, scratch_soft, staged, staged_soft };
inline constexpr int kStagedShades = 4;  // staged runs cycle through these

// A colour. shade distinguishes staged runs and is 0 for other inks.
struct Colour {
  Ink ink = Ink::ink;
  int shade = 0;
};
// Returns the style sheet's variable of a colour, such as "--staged-2".
std::string variable(Colour colour);
std::vector<Colour> all_colours();

struct XY {
  double x, y;
};

struct Area {
  std::vector<XY> outline;  // finite; closed implicitly
  Colour colour;
};
struct Line {
  std::vector<XY> points;  // finite
  Colour colour;
  double width = 1.5;
  bool dashed = false;
  std::string series = "";  // what the numbers are, in the download; "": left out of it
};
enum class Shape { disc, ring, triangle };
struct Points {
  std::vector<XY> points;
  Colour colour;
  Shape shape = Shape::disc;
  double size = 0.9;
  std::vector<double> errors = {};  // standard error of each point, drawn to each side; NaN: none
  std::string series = "";          // see Line
};
enum class Align { left, center, right };
struct Label {
  XY at;
  std::string text;
  Colour colour;
  Align align = Align::left;
  double dx = 0, dy = 0;  // preferred offset, in characters; dy is upward
};
struct Arrow {
  XY from, to;
  Colour colour;
  bool both_heads = false;
};
struct Tick {
  double at;
  std::string text;
};
struct Axis {
  std::string title;
  double low = 0, high = 1;
  bool log = false;
  std::vector<Tick> ticks;
};
struct Figure {
  std::string title;              // heading above it, plain text
  std::string alt;                // description for screen readers
  int width = 480, height = 320;  // pixels at full size
  Axis x, y;
  std::vector<Area> areas;  // drawn below all lines
  std::vector<Line> lines;
  std::vector<Points> points;
  std::vector<Arrow> arrows;
  std::vector<Label> labels;
};

// Returns about `count` round values in [low, high], each with only the digits that it needs.
std::vector<Tick> linear_ticks(double low, double high, int count);
// Returns round values for a log axis (1, 2, 5 and so on), or linear ones if the range is too
// short.
std::vector<Tick> log_ticks(double low, double high);

// Returns the gnuplot commands that draw the figure into the file `svg`. Texts are quoted so that
// gnuplot executes nothing in them.
std::string gnuplot_script(const Figure& figure, const std::string& svg);
// Prepares gnuplot's picture for inclusion in a page: without prolog, with ids that begin with
// `prefix`, and with colours as variables. alt must already be escaped for HTML.
std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& alt);

}  // namespace stagedtrain::report
