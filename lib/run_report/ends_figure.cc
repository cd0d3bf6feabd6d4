// Draws the decayed ends that are compared, with the interpolation and the savings.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/axes.h"
#include "run_report/phrases.h"
#include "run_report/plots.h"

namespace stagedtrain::report {
namespace {

// Margin for labels on each side, as a share of the width between the outermost ends.
constexpr double kLabelMargin = 0.3;

// The ranges that the figure must cover.
struct Extent {
  Range costs, losses;
};

Extent extent_of(const Report& report) {
  Extent extent;
  for (const Comparison& comparison : report.comparisons) {
    const CostResult& flops = comparison[CostKind::flops];
    if (!flops.saving) continue;
    std::vector<std::size_t> runs = comparison.ends;
    runs.push_back(comparison.staged);
    for (const std::size_t i : runs) {
      const RunEnd& end = *report.runs[i].end;
      extent.costs.add(end.at.flops);
      extent.losses.add(end.loss);
      extent.losses.add(end.loss - end.se);
      extent.losses.add(end.loss + end.se);
    }
    extent.costs.add(flops.saving->scratch_cost);
    if (flops.gap) extent.losses.add(flops.gap->scratch_loss);
  }
  return extent;
}

void add_scratch_ends(const Report& report, const Comparison& comparison, const Unit& unit,
                      Figure& figure) {
  Points line{.colour = {Ink::scratch}, .size = 1.1, .series = "from scratch"};
  Points aside{.colour = {Ink::scratch},
               .shape = Shape::ring,
               .size = 1.1,
               .series = "from scratch, set aside"};
  for (std::size_t i : comparison.ends) {
    const Run& run = report.runs[i];
    const XY at{run.end->at.flops / unit.size, run.end->loss};
    const bool dominated = std::ranges::find(comparison.dominated, i) != comparison.dominated.end();
    Points& points = dominated ? aside : line;
    points.points.push_back(at);
    points.errors.push_back(run.end->se);
    figure.labels.push_back(
        {.at = at, .text = run_tag(report, i), .colour = {Ink::scratch}, .dx = 0.8, .dy = 0.8});
  }
  figure.lines.push_back(
      {.points = line.points, .colour = {Ink::scratch}, .width = 1.5, .dashed = true});
  figure.points.push_back(std::move(line));
  figure.points.push_back(std::move(aside));
}

// Draws the line between the two ends that the staged loss is interpolated from, extended to where
// it reaches that loss.
void add_interpolation(const Report& report, const CostResult& flops, const Unit& unit,
                       Figure& figure) {
  const Saving& saving = *flops.saving;
  Range costs;
  for (std::size_t i : {saving.low, saving.high}) costs.add(report.runs[i].end->at.flops);
  const RunEnd &low = *report.runs[saving.low].end, &high = *report.runs[saving.high].end;
  costs.add(saving.scratch_cost);
  const double slope = (high.loss - low.loss) / std::log(high.at.flops / low.at.flops);
  const auto at = [&](double c) {
    return XY{c / unit.size, low.loss + slope * std::log(c / low.at.flops)};
  };
  figure.lines.push_back(
      {.points = {at(costs.low), at(costs.high)}, .colour = {Ink::scratch}, .width = 2.5});
}

// Draws the arrow from scratch to the staged end. Its label is drawn only if the arrow is long
// enough.
void add_arrow(XY from, XY to, Label words, bool better, bool labelled, Figure& figure) {
  words.colour = {better ? Ink::good : Ink::muted};
  figure.arrows.push_back({.from = from, .to = to, .colour = words.colour});
  if (labelled) figure.labels.push_back(std::move(words));
}

void add_saving(const CostResult& flops, XY at, const Unit& unit, const Extent& extent, bool alone,
                Figure& figure) {
  if (flops.saving->reach != Reach::beyond) {
    const XY from{flops.saving->scratch_cost / unit.size, at.y};
    const double share =
        std::abs(std::log(from.x / at.x)) / std::log(extent.costs.high / extent.costs.low);
    add_arrow(from, at,
              {.at = {std::sqrt(from.x * at.x), at.y},
               .text = saving_text(flops),
               .align = Align::center,
               .dy = -0.9},
              flops.saving->value > 0, alone && share > 0.3, figure);
  }
  if (flops.gap && flops.gap->reach != Reach::beyond) {
    const XY from{at.x, flops.gap->scratch_loss};
    const double share = std::abs(flops.gap->value) / (extent.losses.high - extent.losses.low);
    // The space beside the arrow is narrow, so the label omits what the page says about
    // extrapolation.
    const std::string words = gap_text(*flops.gap);
    add_arrow(from, at,
              {.at = {at.x, (from.y + at.y) / 2},
               .text = words.substr(0, words.find(" (")),
               .align = Align::right,
               .dx = -0.8},
              flops.gap->value > 0, alone && share > 0.2, figure);
  }
}

// Draws a staged end, with its label on the side away from the interpolation line.
void add_staged_end(const Report& report, const Comparison& comparison, const Unit& unit,
                    const Extent& extent, Figure& figure) {
  const CostResult& flops = comparison[CostKind::flops];
  const Run& run = report.runs[comparison.staged];
  const Colour colour = run_colour(report, comparison.staged);
  const bool alone = report.comparisons.size() == 1;
  const bool worse = flops.saving->value < 0;
  const XY at{run.end->at.flops / unit.size, run.end->loss};
  add_saving(flops, at, unit, extent, alone, figure);
  figure.points.push_back({.points = {at},
                           .colour = colour,
                           .size = 1.4,
                           .errors = {run.end->se},
                           .series = "staged: " + run.label});
  figure.labels.push_back(
      {.at = at,
       .text = fmt::format("{}  {:.3f}", run_tag(report, comparison.staged), at.y),
       .colour = colour,
       .align = worse ? Align::left : Align::right,
       .dx = worse ? 1.0 : -1.0,
       .dy = worse ? 0.9 : -0.9});
}

}  // namespace

std::optional<Figure> ends_figure(const Report& report) {
  const Extent extent = extent_of(report);
  const Range& costs = extent.costs;
  if (costs.empty()) return {};
  const Unit unit = unit_of(CostKind::flops, costs.high);
  Figure figure{.title = "What is compared: fully decayed ends",
                .alt =
                    "Final validation loss against FLOPs: the scratch ends joined by a line, the "
                    "staged end, and arrows from that line to it.",
                .width = 960,
                .height = 360};
  // Leaves space for the labels on both sides.
  const double margin = std::pow(std::max(costs.high / costs.low, 1.1), kLabelMargin);
  figure.x = cost_axis(unit, costs.low / margin, costs.high * margin);
  for (const Comparison& comparison : report.comparisons) {
    if (!comparison[CostKind::flops].saving) continue;
    add_scratch_ends(report, comparison, unit, figure);
    add_interpolation(report, comparison[CostKind::flops], unit, figure);
    add_staged_end(report, comparison, unit, extent, figure);
  }
  figure.y = loss_axis("final validation loss, nats per token", extent.losses, 0.25, 0.15);
  return figure;
}

}  // namespace stagedtrain::report
