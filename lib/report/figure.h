// A plot as data: axes, lines, points, labels and arrows; written out as a gnuplot script.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::report {

// Colours by meaning; the page's style sheet gives each a light and a dark value.
enum class Ink { ink, muted, grid, paper, good, scratch, scratch_soft, staged, staged_soft };
inline constexpr int kStagedShades = 4;  // staged runs take turns

// The style sheet's variable of an ink: "--staged-2". shade: which staged run, 0 for other inks.
struct Colour {
  Ink ink = Ink::ink;
  int shade = 0;
};
std::string variable(Colour colour);
std::vector<Colour> all_colours();

struct XY {
  double x, y;
};

struct Area {
  std::vector<XY> outline;  // finite, closed by itself
  Colour colour;
};
struct Line {
  std::vector<XY> points;  // finite
  Colour colour;
  double width = 1.5;
  bool dashed = false;
  std::string series = "";  // what the numbers are, for the download; "": not in it
};
enum class Shape { disc, ring, triangle };
struct Points {
  std::vector<XY> points;
  Colour colour;
  Shape shape = Shape::disc;
  double size = 0.9;
  std::vector<double> errors = {};  // half the length of each point's error bar; NaN: none
  std::string series = "";          // as for lines
};
enum class Align { left, center, right };
struct Label {
  XY at;
  std::string text;
  Colour colour;
  Align align = Align::left;
  double dx = 0, dy = 0;  // where it should stand, in characters; dy is upward
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
  std::string alt;                // what it shows, for those who do not see it
  int width = 480, height = 320;  // pixels at full size
  Axis x, y;
  std::vector<Area> areas;  // below all lines
  std::vector<Line> lines;
  std::vector<Points> points;
  std::vector<Arrow> arrows;
  std::vector<Label> labels;
};

// About count round values in [low, high], with just the digits that they need.
std::vector<Tick> linear_ticks(double low, double high, int count);
// Round values for a log axis (1, 2, 5 and so on; linear ones where the range is too short).
std::vector<Tick> log_ticks(double low, double high);

// The gnuplot commands that draw the figure into the file svg (relative to its working folder).
// Text is written so that gnuplot takes none of it as a command.
std::string gnuplot_script(const Figure& figure, const std::string& svg);
// gnuplot's picture made part of a page: no prolog, ids of its own (prefix), colours as variables.
// alt is already escaped for HTML.
std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& alt);

}  // namespace stagedtrain::report
