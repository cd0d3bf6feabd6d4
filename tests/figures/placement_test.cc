// Labels that cover neither each other nor the marks, and ticks that do not touch.
#include "figures/placement.h"

#include <algorithm>
#include <cmath>

#include "support/catch.h"

using namespace stagedtrain::report;

namespace {

Figure with_labels(const std::vector<XY>& at, const std::string& text) {
  Figure figure{.width = 480, .height = 320};
  figure.x.ticks = linear_ticks(0, 1, 5);
  figure.y.ticks = linear_ticks(0, 1, 5);
  for (const XY& point : at) figure.labels.push_back({.at = point, .text = text});
  figure.points.push_back({.points = at});
  return figure;
}

struct Box {
  double left, right, top, bottom;
};

Box box_of(const PlacedLabel& label) {
  const double width = text_width(label.text);
  const double left = label.align == Align::left     ? label.x
                      : label.align == Align::center ? label.x - width / 2
                                                     : label.x - width;
  return {left, left + width, label.y - kTextHeight / 2, label.y + kTextHeight / 2};
}

bool touch(const Box& a, const Box& b) {
  return std::min(a.right, b.right) > std::max(a.left, b.left) &&
         std::min(a.bottom, b.bottom) > std::max(a.top, b.top);
}

void check_apart(const Figure& figure) {
  const std::vector<PlacedLabel> placed = place_labels(figure);
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const Box box = box_of(placed[i]);
    CHECK(box.left >= 0);
    CHECK(box.right <= figure.width);
    CHECK(box.top >= 0);
    CHECK(box.bottom <= figure.height - 40);
    for (std::size_t k = 0; k < i; ++k) CHECK_FALSE(touch(box, box_of(placed[k])));
  }
}

}  // namespace

TEST_CASE("a label alone stands where it was wanted") {
  Figure figure = with_labels({{0.5, 0.5}}, "a run");
  figure.labels[0].dx = 2;
  figure.labels[0].dy = 1;
  const Frame frame = frame_of(figure);
  const PlacedLabel label = place_labels(figure).at(0);
  CHECK(label.x == Approx((frame.left + frame.right) / 2 + 2 * 7.6));
  CHECK(label.y == Approx((frame.top + frame.bottom) / 2 - kTextHeight));
}

TEST_CASE("labels of the same point, of neighbours and at the edges keep apart") {
  check_apart(with_labels({{0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}, {0.5, 0.5}}, "scratch/budget-1500"));
  check_apart(with_labels({{0.5, 0.5}, {0.52, 0.5}, {0.54, 0.51}, {0.56, 0.49}}, "1,500 steps"));
  check_apart(with_labels({{0, 0}, {1, 0}, {0, 1}, {1, 1}}, "scratch/budget-1500"));
}

TEST_CASE("ticks whose texts would touch lose some of them") {
  Axis axis{.low = 1, .high = 100, .log = true, .ticks = log_ticks(1, 100)};
  const auto named = [&](double pixels) {
    const std::vector<Tick> ticks = thinned_ticks(axis, pixels, false);
    CHECK(ticks.size() == axis.ticks.size());
    return std::ranges::count_if(ticks, [](const Tick& tick) { return !tick.text.empty(); });
  };
  CHECK(named(1000) == static_cast<std::ptrdiff_t>(axis.ticks.size()));
  CHECK(named(60) < static_cast<std::ptrdiff_t>(axis.ticks.size()));
  CHECK(named(60) >= 1);
}
