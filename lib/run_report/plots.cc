// Draws the report's figures from its runs.
#include "run_report/plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/axes.h"
#include "figures/smoothing.h"
#include "run_report/phrases.h"

namespace stagedtrain::report {
namespace {

constexpr std::size_t kSmoothPoints = 160;  // points of a smoothed training curve
constexpr std::size_t kNeighbours = 40;     // logged losses that each of these is fitted to
constexpr std::size_t kMostPoints = 800;    // points of any other curve

std::vector<XY> path(const Run& run, CostKind kind, const Unit& unit) {
  std::vector<XY> points;
  for (const Evaluation& evaluation : run.evaluations)
    points.push_back({cost(evaluation.at, kind) / unit.size, evaluation.loss});
  if (run.end) points.push_back({cost(run.end->at, kind) / unit.size, run.end->loss});
  std::erase_if(points,
                [](const XY& p) { return !std::isfinite(p.x) || !std::isfinite(p.y) || p.x <= 0; });
  return bucket_means(points, kMostPoints);
}

std::vector<XY> training_path(const Run& run, CostKind kind, const Unit& unit) {
  std::vector<XY> points;
  for (const StepPoint& step : run.steps)
    points.push_back({cost(step.at, kind) / unit.size, step.loss});
  return smoothed(bucket_means(points, kMostPoints), kNeighbours, kSmoothPoints);
}

// Returns the curve's height at x, interpolated linearly; NaN outside of it.
double height(const std::vector<XY>& points, double x) {
  for (std::size_t i = 1; i < points.size(); ++i) {
    const XY &a = points[i - 1], &b = points[i];
    if (x < a.x || x > b.x || !(b.x > a.x)) continue;
    return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
  }
  return kUnknown;
}

// Returns staged runs last, so that they are drawn on top.
std::vector<std::size_t> drawing_order(const Report& report) {
  std::vector<std::size_t> order;
  for (const bool staged : {false, true})
    for (std::size_t i = 0; i < report.runs.size(); ++i)
      if (report.runs[i].staged() == staged) order.push_back(i);
  return order;
}

// ---- Loss curves.

// Returns where the x axis of a loss figure starts: well before the cheapest end and before every
// growth, but at no less than a 40th of the most expensive end.
double first_cost(const Report& report, CostKind kind, double most) {
  double first = most;
  for (const Run& run : report.runs) {
    if (const double end = cost(run.last(), kind); end > 0) first = std::min(first, end / 4);
    for (const LoggedGrowth& growth : run.growths)
      if (const double at = cost(growth.at, kind); at > 0) first = std::min(first, at / 1.5);
  }
  return std::max(first, most / 40);
}

// Returns the loss just before the growth, on the drawn curve if it covers the growth.
double growth_height(const Run& run, const LoggedGrowth& growth, CostKind kind, const Unit& unit) {
  const std::vector<XY> line = path(run, kind, unit);
  const double y = height(line, cost(growth.at, kind) / unit.size);
  return std::isfinite(y) ? y : growth.loss_before;
}

// Labels the end of a run's line with its name.
void add_name(const Report& report, std::size_t index, XY at, Figure& figure) {
  if (!std::isfinite(at.x) || !std::isfinite(at.y)) return;
  figure.labels.push_back({.at = at,
                           .text = run_tag(report, index),
                           .colour = run_colour(report, index),
                           .dx = 0.9,
                           .dy = 0.8});
}

void add_run(const Report& report, std::size_t index, CostKind kind, const Unit& unit,
             bool labelled, Figure& figure) {
  const Run& run = report.runs[index];
  const Colour colour = run_colour(report, index);
  figure.lines.insert(figure.lines.begin(), {.points = training_path(run, kind, unit),
                                             .colour = run_colour(report, index, true),
                                             .width = 1,
                                             .series = "training loss, smoothed: " + run.label});
  const std::vector<XY> line = path(run, kind, unit);
  figure.lines.push_back(
      {.points = line, .colour = colour, .width = 1.8, .series = "validation loss: " + run.label});
  if (!line.empty()) add_name(report, index, line.back(), figure);
  for (const LoggedGrowth& growth : run.growths) {
    const XY at{cost(growth.at, kind) / unit.size, growth_height(run, growth, kind, unit)};
    if (!std::isfinite(at.x) || !std::isfinite(at.y) || at.x < figure.x.low) continue;
    figure.points.push_back(
        {.points = {at}, .colour = colour, .shape = Shape::triangle, .size = 1.5});
    if (labelled)
      figure.labels.push_back({.at = at,
                               .text = growth_change(run, growth),
                               .colour = colour,
                               .align = Align::right,
                               .dx = -1,
                               .dy = -0.9});
  }
  if (run.end && std::isfinite(run.end->loss) && cost(run.end->at, kind) > 0)
    figure.points.push_back({.points = {{cost(run.end->at, kind) / unit.size, run.end->loss}},
                             .colour = colour,
                             .shape = run.end->decayed ? Shape::disc : Shape::ring,
                             .size = 0.9});
}

// Returns the range of the lines' heights within the figure's x range, thin lines excluded.
Range heights(const Figure& figure) {
  Range range;
  for (const Line& line : figure.lines)
    for (const XY& point : line.points)
      if (line.width > 1 && point.x >= figure.x.low && point.x <= figure.x.high) range.add(point.y);
  for (const Points& points : figure.points)
    for (const XY& point : points.points)
      if (points.shape != Shape::triangle) range.add(point.y);
  return range;
}

std::optional<Figure> path_figure(const Report& report, CostKind kind) {
  double most = 0;
  for (const Run& run : report.runs)
    if (const double end = cost(run.last(), kind); end > most) most = end;
  if (!(most > 0)) return {};
  const Unit unit = unit_of(kind, most);
  const bool large = kind == CostKind::flops;
  Figure figure{
      .title = fmt::format("Loss against {}", cost_name(kind)),
      .alt = fmt::format("Training and validation loss of each run against {}.", cost_name(kind)),
      .width = large ? 960 : 480,
      .height = large ? 420 : 340};
  figure.x = cost_axis(unit, first_cost(report, kind, most), most * 1.06);
  for (const std::size_t i : drawing_order(report))
    add_run(report, i, kind, unit, large && report.comparisons.size() == 1, figure);
  const Range range = heights(figure);
  if (range.empty()) return {};
  figure.y = loss_axis("loss, nats per token", range, 0.06, 0.06);
  return figure;
}

// ---- Optimizer curves.

// Returns the last point at which a curve has its maximum.
XY last_peak(const std::vector<XY>& points) {
  XY peak = points.front();
  for (const XY& point : points)
    if (point.y >= peak.y) peak = point;
  return peak;
}

template <class Value>
std::optional<Figure> step_figure(const Report& report, const char* title, const char* y_title,
                                  bool log, Value value) {
  Figure figure{.title = title,
                .alt = fmt::format("{} against optimizer steps.", title),
                .width = 480,
                .height = 260};
  Range x, y;
  for (const std::size_t i : drawing_order(report)) {
    std::vector<XY> points;
    for (const StepPoint& step : report.runs[i].steps)
      if (const double v = value(step); !log || v > 0) points.push_back({step.at.step, v});
    points = log ? smoothed(bucket_means(points, kMostPoints), kNeighbours, kSmoothPoints)
                 : bucket_means(points, kMostPoints);
    for (const XY& point : points) x.add(point.x), y.add(point.y);
    if (!points.empty()) add_name(report, i, log ? points.back() : last_peak(points), figure);
    figure.lines.push_back({.points = std::move(points),
                            .colour = run_colour(report, i),
                            .width = 1.4,
                            .series = fmt::format("{}: {}", y_title, report.runs[i].label)});
  }
  if (x.empty() || !(x.high > x.low) || y.empty()) return {};
  figure.x = {.title = "optimizer steps",
              .low = std::min(0.0, x.low),
              .high = x.high * 1.04,
              .ticks = linear_ticks(0, x.high, 5)};
  const double top = y.high > y.low ? y.high : y.low + std::abs(y.low) + 1e-12;
  figure.y = {.title = std::string(y_title) + (log ? " (log scale)" : ""),
              .low = log ? y.low / 1.1 : std::min(0.0, y.low),
              .high = top * (log ? 1.1 : 1.35),  // leaves space for names above the peaks
              .log = log};
  figure.y.ticks =
      log ? log_ticks(figure.y.low, figure.y.high) : linear_ticks(figure.y.low, figure.y.high, 4);
  return figure;
}

}  // namespace

Colour run_colour(const Report& report, std::size_t run, bool soft) {
  if (!report.runs[run].staged()) return {soft ? Ink::scratch_soft : Ink::scratch};
  const auto staged_before =
      std::count_if(report.runs.begin(), report.runs.begin() + static_cast<std::ptrdiff_t>(run),
                    [](const Run& other) { return other.staged(); });
  return {soft ? Ink::staged_soft : Ink::staged, static_cast<int>(staged_before % kStagedShades)};
}

std::string run_tag(const Report& report, std::size_t index) {
  const Run& run = report.runs[index];
  if (run.staged()) return report.comparisons.size() == 1 ? "staged" : run.label;
  const auto same_length = std::ranges::count_if(report.runs, [&](const Run& other) {
    return !other.staged() && other.last().step == run.last().step;
  });
  return same_length == 1 ? whole_text(run.last().step) + " steps" : run.label;
}

std::vector<XY> bucket_means(const std::vector<XY>& points, std::size_t count) {
  std::vector<XY> finite;
  for (const XY& point : points)
    if (std::isfinite(point.x) && std::isfinite(point.y)) finite.push_back(point);
  if (finite.size() <= count) return finite;
  std::vector<XY> means;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = finite.size() * i / count, end = finite.size() * (i + 1) / count;
    XY sum{0, 0};
    for (std::size_t j = begin; j < end; ++j) sum.x += finite[j].x, sum.y += finite[j].y;
    const auto n = static_cast<double>(end - begin);
    means.push_back({sum.x / n, sum.y / n});
  }
  return means;
}

std::vector<Figure> path_figures(const Report& report) {
  std::vector<Figure> figures;
  for (CostKind kind : kCostKinds)
    if (auto figure = path_figure(report, kind)) figures.push_back(std::move(*figure));
  return figures;
}

std::vector<Figure> optimizer_figures(const Report& report) {
  std::vector<Figure> figures;
  if (auto figure = step_figure(report, "Learning rate", "learning rate", false,
                                [](const StepPoint& s) { return s.lr; }))
    figures.push_back(std::move(*figure));
  if (auto figure = step_figure(report, "Gradient norm", "gradient norm", true,
                                [](const StepPoint& s) { return s.grad_norm; }))
    figures.push_back(std::move(*figure));
  return figures;
}

}  // namespace stagedtrain::report
