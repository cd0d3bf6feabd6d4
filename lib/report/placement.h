// Where things stand in a figure, in pixels: its frame, and labels that cover neither each other
// nor the marks.
#pragma once

#include <string>
#include <vector>

#include "report/figure.h"

namespace stagedtrain::report {

// The part of a figure that lies between its axes; pixels from the upper left corner.
struct Frame {
  double left, right, top, bottom;
};
Frame frame_of(const Figure& figure);

// A label's final place. x: of its left end, middle or right end, as align says; y: of its middle.
struct PlacedLabel {
  std::string text;
  Colour colour;
  Align align = Align::left;
  double x = 0, y = 0;
};
// Each label of the figure, as near to where it was wanted as it finds room: first the wanted
// place, then places around its point, ever farther away. What counts against a place, in this
// order: other labels and the frame, marks, lines, the distance. Text widths are estimates from
// above, as the reader's font is not known.
std::vector<PlacedLabel> place_labels(const Figure& figure);

// An axis' ticks, of which those whose text would touch that of the tick before have none.
// pixels: the length of the axis; vertical texts take their height, horizontal ones their width.
std::vector<Tick> thinned_ticks(const Axis& axis, double pixels, bool vertical);

// Where a value lies along an axis: 0 at its low end, 1 at its high end.
double share_of(const Axis& axis, double value);

// Pixels that the text is at most wide in the figures' font.
double text_width(const std::string& text);
inline constexpr double kTextHeight = 16;

}  // namespace stagedtrain::report
