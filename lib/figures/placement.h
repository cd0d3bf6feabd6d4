// Where are the parts of a figure, in pixels? Its frame, and labels that overlap neither each other
// nor the marks.
#pragma once

#include <string>
#include <vector>

#include "figures/figure.h"

namespace stagedtrain::report {

// The part of a figure between its axes, in pixels from the upper left corner.
struct Frame {
  double left, right, top, bottom;
};
Frame frame_of(const Figure& figure);

// A label's final position. x is that of its left end, middle or right end, depending on align; y
// is that of its middle.
struct PlacedLabel {
  std::string text;
  Colour colour;
  Align align = Align::left;
  double x = 0, y = 0;
};
// Places each label as near to its preferred position as possible: first that position, then
// positions around its point, at increasing distances. The following count against a position, in
// this order: other labels and the frame, marks, lines, the distance. Text widths are upper
// estimates, because the reader's font is unknown.
std::vector<PlacedLabel> place_labels(const Figure& figure);

// Returns an axis' ticks, without the text of those that would touch the previous tick's text.
// pixels is the length of the axis. Vertical axes use the texts' height, horizontal ones their
// width.
std::vector<Tick> thinned_ticks(const Axis& axis, double pixels, bool vertical);

// Returns the position of a value along an axis: 0 at its low end, 1 at its high end.
double share_of(const Axis& axis, double value);

// Returns an upper estimate of a text's width in the figures' font, in pixels.
double text_width(const std::string& text);
inline constexpr double kTextHeight = 16;

}  // namespace stagedtrain::report
