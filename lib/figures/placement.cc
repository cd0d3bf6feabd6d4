// Places labels by a greedy search, one label after another. Figures have few labels, so trying
// some hundred positions for each is instant, and a joint optimum is not needed.
#include "figures/placement.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace stagedtrain::report {
namespace {

// Pixels per character; an upper estimate for most letters of most sans-serif fonts at 13 px.
constexpr double kCharacter = 7.6;
constexpr double kGap = 3;     // pixels between a label and its neighbours
constexpr double kSample = 5;  // pixels between the sample points of a line

struct Spot {
  double x, y;
};
struct Box {
  double left, right, top, bottom;
};

double overlap(const Box& a, const Box& b) {
  const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
  const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

class Search {
 public:
  explicit Search(const Figure& figure) : figure_(figure), frame_(frame_of(figure)) {
    for (const Line& line : figure.lines) add_line(line.points);
    for (const Arrow& arrow : figure.arrows) add_line({arrow.from, arrow.to});
    for (const Points& points : figure.points) add_marks(points);
  }

  PlacedLabel place(const Label& label) {
    const Spot at = spot(label.at);
    PlacedLabel best =
        candidate(label, at.x + label.dx * kCharacter, at.y - label.dy * kTextHeight, label.align);
    double least = trouble(best);
    for (const PlacedLabel& other : around(label, at)) {
      if (const double c = trouble(other) + 1 + 0.9 * distance(other, at); c < least) {
        least = c;
        best = other;
      }
    }
    placed_.push_back(box_of(best));
    return best;
  }

 private:
  Spot spot(XY at) const {
    return {frame_.left + share_of(figure_.x, at.x) * (frame_.right - frame_.left),
            frame_.bottom - share_of(figure_.y, at.y) * (frame_.bottom - frame_.top)};
  }

  void add_line(const std::vector<XY>& points) {
    for (std::size_t i = 1; i < points.size(); ++i) {
      const Spot from = spot(points[i - 1]), to = spot(points[i]);
      if (!std::isfinite(from.x + from.y + to.x + to.y)) continue;
      const double length = std::hypot(to.x - from.x, to.y - from.y);
      const int pieces = 1 + static_cast<int>(std::min(length / kSample, 400.0));
      for (int k = 0; k <= pieces; ++k) {
        const double t = static_cast<double>(k) / pieces;
        inked_.push_back({from.x + t * (to.x - from.x), from.y + t * (to.y - from.y)});
      }
    }
  }

  // Labels may cover clouds of small points, but not marks.
  void add_marks(const Points& points) {
    if (points.size < 0.6) return;
    for (std::size_t i = 0; i < points.points.size(); ++i) {
      const Spot at = spot(points.points[i]);
      const double half = 4.5 * points.size + 1;
      marks_.push_back({at.x - half, at.x + half, at.y - half, at.y + half});
    }
  }

  PlacedLabel candidate(const Label& label, double x, double y, Align align) const {
    return {label.text, label.colour, align, x, y};
  }

  std::vector<PlacedLabel> around(const Label& label, Spot at) const {
    std::vector<PlacedLabel> all;
    for (int ring = 0; ring < 12; ++ring)
      for (const double side : {-1.0, 1.0}) {
        const double dy = side * (ring < 1 ? 0 : 4 + 8 * ring), near = ring < 2 ? 11 : 5;
        for (const double far : {0.0, 30.0, 70.0}) {
          all.push_back(candidate(label, at.x + near + far, at.y + dy, Align::left));
          all.push_back(candidate(label, at.x - near - far, at.y + dy, Align::right));
        }
        if (ring >= 1) all.push_back(candidate(label, at.x, at.y + dy, Align::center));
      }
    return all;
  }

  Box box_of(const PlacedLabel& label) const {
    const double width = text_width(label.text);
    const double left = label.align == Align::left     ? label.x
                        : label.align == Align::center ? label.x - width / 2
                                                       : label.x - width;
    return {left - kGap, left + width + kGap, label.y - kTextHeight / 2 - 1,
            label.y + kTextHeight / 2 + 1};
  }

  double outside(const Box& box) const {
    return std::max(0.0, frame_.left - box.left) + std::max(0.0, box.right - frame_.right - 8) +
           std::max(0.0, frame_.top - 6 - box.top) + std::max(0.0, box.bottom - frame_.bottom);
  }

  // Returns the distance in pixels from the label's nearer end to its point.
  double distance(const PlacedLabel& label, Spot at) const {
    const Box box = box_of(label);
    return std::hypot(std::max({0.0, box.left - at.x, at.x - box.right}), label.y - at.y);
  }

  double trouble(const PlacedLabel& label) const {
    const Box box = box_of(label);
    double cost = 1000 * outside(box);
    for (const Box& other : placed_) cost += 100 * overlap(box, other);
    for (const Box& mark : marks_) cost += 10 * overlap(box, mark);
    for (const Spot& ink : inked_)
      if (ink.x > box.left && ink.x < box.right && ink.y > box.top && ink.y < box.bottom) cost += 5;
    return cost;
  }

  const Figure& figure_;
  Frame frame_;
  std::vector<Spot> inked_;
  std::vector<Box> marks_, placed_;
};

std::size_t letters(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

double share_of(const Axis& axis, double value) {
  if (axis.log) return std::log(value / axis.low) / std::log(axis.high / axis.low);
  return (value - axis.low) / (axis.high - axis.low);
}

double text_width(const std::string& text) {
  return kCharacter * static_cast<double>(letters(text));
}

Frame frame_of(const Figure& figure) {
  double widest = 0;
  for (const Tick& tick : figure.y.ticks) widest = std::max(widest, text_width(tick.text));
  const double width = figure.width, height = figure.height;
  return {.left = 44 + widest, .right = width - 16, .top = 14, .bottom = height - 52};
}

std::vector<PlacedLabel> place_labels(const Figure& figure) {
  Search search(figure);
  std::vector<PlacedLabel> placed;
  for (const Label& label : figure.labels) placed.push_back(search.place(label));
  return placed;
}

std::vector<Tick> thinned_ticks(const Axis& axis, double pixels, bool vertical) {
  std::vector<Tick> ticks = axis.ticks;
  double last_end = -1e9;
  for (Tick& tick : ticks) {
    const double at = share_of(axis, tick.at) * pixels;
    const double half = (vertical ? kTextHeight : text_width(tick.text)) / 2;
    if (at - half < last_end + (vertical ? 0 : 8)) {
      tick.text.clear();
    } else if (!tick.text.empty()) {
      last_end = at + half;
    }
  }
  return ticks;
}

}  // namespace stagedtrain::report
