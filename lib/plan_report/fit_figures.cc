// Draws the figures of fitted scaling laws.
#include "plan_report/fit_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/axes.h"
#include "plan_report/colours.h"
#include "statistics/bootstrap.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

constexpr int kCurvePoints = 120, kWidth = 480, kHeight = 340;
constexpr double kForecast = 3;  // multiple of the last fitted step
// Limit of the residual axis, as a multiple of the largest residual; curves beyond it are cut off.
constexpr double kMostApart = 8;

template <class F>
std::vector<XY> curve_over(double low, double high, F f) {
  std::vector<XY> points;
  for (int i = 0; i <= kCurvePoints; ++i) {
    const double x = low * std::pow(high / low, static_cast<double>(i) / kCurvePoints);
    if (const XY point{x, f(x)}; std::isfinite(point.y)) points.push_back(point);
  }
  return points;
}

double percent_above(double loss, double law) { return 100 * std::log(loss / law); }

Axis percent_axis(const char* title, double most) {
  Axis axis{.title = title, .low = -most, .high = most};
  axis.ticks = linear_ticks(-most, most, 5);
  for (Tick& tick : axis.ticks) tick.text += "%";
  return axis;
}

Axis steps_axis(double low, double high) {
  return {.title = "steps at the peak rate (log scale)",
          .low = low,
          .high = high,
          .log = true,
          .ticks = log_ticks(low, high)};
}

void mark_end_of_log(Figure& figure, double x) {
  figure.lines.push_back({.points = {{x, figure.y.low}, {x, figure.y.high}}, .colour = kGrid});
  figure.labels.push_back(
      {.at = {x, figure.y.high}, .text = "forecast", .colour = kMuted, .dx = 0.5, .dy = -0.7});
}

Figure law_figure(const plan::FittedCurve& fit, const std::vector<scaling::CurvePoint>& points) {
  Figure figure{.title = "The fit",
                .alt = "Logged losses and the fitted curve, carried on to three times the steps.",
                .width = kWidth,
                .height = kHeight};
  const double low = points.front().x, end = points.back().x, high = kForecast * end;
  Range losses;
  std::vector<XY> dots;
  for (const scaling::CurvePoint& p : points) {
    dots.push_back({p.x, p.loss});
    losses.add(p.loss);
  }
  losses.add(fit.law.loss(high));
  figure.x = steps_axis(low, high);
  figure.y = loss_axis("training loss, nats per token", losses, 0.12, 0.05);
  mark_end_of_log(figure, end);
  figure.lines.push_back(
      {.points = curve_over(low, high, [&](double x) { return fit.law.loss(x); }),
       .colour = kStaged,
       .width = 2.2});
  figure.points.push_back({.points = dots, .colour = kScratch, .size = 0.35});
  figure.labels.push_back({.at = {high, fit.law.loss(high)},
                           .text = fmt::format("{:.3f}", fit.law.loss(high)),
                           .colour = kStaged,
                           .align = Align::right,
                           .dx = -0.3,
                           .dy = 0.9});
  return figure;
}

// Returns the range of 80% of the bootstrap samples, in percent above the fit.
Area band(const plan::FittedCurve& fit, double low, double high) {
  std::vector<XY> below, above;
  for (const XY& at : curve_over(low, high, [](double) { return 0.0; })) {
    std::vector<double> values;
    for (const scaling::StageCurve& sample : fit.samples)
      values.push_back(percent_above(sample.loss(at.x), fit.law.loss(at.x)));
    std::erase_if(values, [](double value) { return !std::isfinite(value); });
    if (values.empty()) continue;
    const scaling::Interval range = scaling::interval(std::move(values));
    below.push_back({at.x, range.low});
    above.push_back({at.x, range.high});
  }
  below.insert(below.end(), above.rbegin(), above.rend());
  return {below, kSoft};
}

// Draws the refits, labelled at their right ends; the highest label is above its line.
void add_refits(const plan::FittedCurve& fit, double low, double high, Figure& figure) {
  std::vector<std::pair<double, std::string>> ends;
  for (const plan::PrefixRefit& refit : fit.prefixes) {
    if (refit.share >= 1) continue;
    const auto apart = [&](double x) { return percent_above(refit.law.loss(x), fit.law.loss(x)); };
    std::vector<XY> line = curve_over(low, high, apart);
    std::erase_if(line, [&](const XY& p) { return p.y < figure.y.low || p.y > figure.y.high; });
    if (line.empty()) continue;
    ends.emplace_back(line.back().y, fmt::format("first {:.0f}%", 100 * refit.share));
    figure.lines.push_back({.points = line, .colour = kMuted, .width = 1.5, .dashed = true});
  }
  std::ranges::sort(ends);
  for (std::size_t i = 0; i < ends.size(); ++i)
    figure.labels.push_back({.at = {high, ends[i].first},
                             .text = ends[i].second,
                             .colour = kMuted,
                             .align = Align::right,
                             .dx = -0.5,
                             .dy = i + 1 == ends.size() ? 0.9 : -0.9});
}

Figure rest_figure(const plan::FittedCurve& fit, const std::vector<scaling::CurvePoint>& points) {
  Figure figure{.title = "What it leaves, and how far it can be trusted",
                .alt = "Residuals, refits to the first parts of the log, and bootstraps.",
                .width = kWidth,
                .height = kHeight};
  const double low = points.front().x, end = points.back().x, high = kForecast * end;
  std::vector<XY> residuals;
  double most = 1e-3;
  for (const scaling::CurvePoint& p : points) {
    residuals.push_back({p.x, percent_above(p.loss, fit.law.loss(p.x))});
    most = std::max(most, std::fabs(residuals.back().y));
  }
  const Area noise = band(fit, low, high);
  double apart = most;
  for (const XY& p : noise.outline) apart = std::max(apart, std::fabs(p.y));
  for (const plan::PrefixRefit& refit : fit.prefixes)
    if (const double y = percent_above(refit.law.loss(high), fit.law.loss(high)); std::isfinite(y))
      apart = std::max(apart, std::fabs(y));
  figure.x = steps_axis(low, high);
  figure.y = percent_axis("above the fit", 1.15 * std::min(apart, kMostApart * most));
  mark_end_of_log(figure, end);
  figure.areas.push_back(noise);
  figure.lines.push_back({.points = {{low, 0}, {high, 0}}, .colour = kStaged, .width = 2.2});
  add_refits(fit, low, high, figure);
  figure.points.push_back({.points = residuals, .colour = kScratch, .size = 0.4});
  return figure;
}

Axis tokens_axis(const std::vector<scaling::RunPoint>& runs, double& size) {
  Range tokens;
  for (const scaling::RunPoint& run : runs) tokens.add(run.tokens);
  const Unit unit = unit_of(CostKind::tokens, tokens.high);
  size = unit.size;
  return cost_axis(unit, tokens.low / 1.2, tokens.high * 1.2);
}

}  // namespace

std::vector<Figure> fit_figures(const plan::FittedCurve& fit, const plan::LoggedCurve& logged) {
  const scaling::CurvePoints near = scaling::near_peak(logged.steps, logged.begin);
  const std::vector<scaling::CurvePoint> points = scaling::thinned(near.points, 200);
  return {law_figure(fit, points), rest_figure(fit, points)};
}

std::vector<Figure> fit_figures(const plan::FittedChinchilla& fit,
                                const std::vector<scaling::RunPoint>& runs) {
  double unit = 1;
  const Axis x = tokens_axis(runs, unit);
  Figure law{.title = "The law",
             .alt = "Losses of finished runs against tokens, and the law for five sizes.",
             .width = kWidth,
             .height = kHeight,
             .x = x};
  Figure rest{.title = "What it leaves",
              .alt = "Residuals of the law against tokens.",
              .width = kWidth,
              .height = kHeight,
              .x = x};
  Range losses, sizes;
  std::vector<XY> dots, residuals;
  double most = 1e-3;
  for (const scaling::RunPoint& run : runs) {
    losses.add(run.loss);
    sizes.add(run.parameters);
    dots.push_back({run.tokens / unit, run.loss});
    const double above = percent_above(run.loss, fit.law.loss(run.parameters, run.tokens));
    residuals.push_back({run.tokens / unit, above});
    most = std::max(most, std::fabs(above));
  }
  law.y = loss_axis("decayed loss, nats per token", losses, 0.05, 0.05);
  for (int i = 0; i < 5; ++i) {
    const double size = sizes.low * std::pow(sizes.high / sizes.low, i / 4.0);
    std::vector<XY> line =
        curve_over(x.low, x.high, [&](double at) { return fit.law.loss(size, at * unit); });
    std::erase_if(line, [&](const XY& p) { return p.y > law.y.high; });
    if (line.empty()) continue;
    law.labels.push_back({.at = line.back(),
                          .text = short_count(size),
                          .colour = kStaged,
                          .align = Align::right,
                          .dx = -0.3,
                          .dy = 0.6});
    law.lines.push_back({.points = std::move(line), .colour = kStaged, .width = 1.5});
  }
  law.points.push_back({.points = dots, .colour = kScratch, .size = 0.35});
  rest.y = percent_axis("measured above the law", 1.15 * most);
  rest.lines.push_back({.points = {{x.low, 0}, {x.high, 0}}, .colour = kStaged, .width = 1.6});
  rest.points.push_back({.points = residuals, .colour = kScratch, .size = 0.4});
  return {law, rest};
}

}  // namespace stagedtrain::report
