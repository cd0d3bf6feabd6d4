// Draws the figures of a plan's page.
#include "plan_report/plan_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/axes.h"
#include "plan_report/colours.h"
#include "scaling/growth_path.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

constexpr int kPoints = 160;

double between(double low, double high, int i, int count) {
  return low * std::pow(high / low, static_cast<double>(i) / count);
}

std::vector<XY> finite(std::vector<XY> points) {
  std::erase_if(points, [](const XY& p) { return !std::isfinite(p.x) || !std::isfinite(p.y); });
  return points;
}

// Draws the loss of a size that is trained from scratch, against its FLOPs.
std::vector<XY> own_run(const scaling::Size& size, double low, double high, const Unit& unit) {
  std::vector<XY> points;
  for (int i = 0; i <= kPoints; ++i) {
    const double cost = between(low, high, i, kPoints);
    points.push_back({cost / unit.size, size.curve->loss(cost / size.cost)});
  }
  return finite(points);
}

// Draws a stage: a section of its model's own curve, shifted to the FLOPs that the run has spent.
std::vector<XY> stage_run(const PathStage& stage, double low, const Unit& unit) {
  std::vector<XY> points;
  const double length = stage.end - stage.begin;
  for (int i = 0; i <= kPoints; ++i) {
    const double share = static_cast<double>(i) / kPoints;
    // The cube puts more points where the curve is steep.
    const double tokens = stage.begin + length * share * share * share;
    const double cost = stage.cost_before + stage.cost * share * share * share;
    if (cost >= low) points.push_back({cost / unit.size, stage.size.curve->loss(tokens)});
  }
  return finite(points);
}

double cost_of_path(const PlanPicture& picture) {
  const PathStage& last = picture.path.back();
  return last.cost_before + last.cost;
}

void mark_growth(const PlanPicture& picture, std::size_t i, const Unit& unit, Figure& figure) {
  const PathStage &before = picture.path[i - 1], &stage = picture.path[i];
  const double loss = before.size.curve->loss(before.end);
  const XY at{stage.cost_before / unit.size, loss};
  const bool near_left = at.x < figure.x.low * std::pow(figure.x.high / figure.x.low, 0.3);
  figure.points.push_back(
      {.points = {at}, .colour = kStaged, .shape = Shape::triangle, .size = 1.5});
  figure.labels.push_back(
      {.at = at,
       .text = fmt::format("grow {} into {}, at {:.3f}", before.size.name, stage.size.name, loss),
       .colour = kStaged,
       .align = near_left ? Align::left : Align::right,
       .dx = near_left ? 1.5 : -1,
       .dy = near_left ? 0.6 : -1});
}

Axis percent_axis(const char* title, double low, double high) {
  Axis axis{.title = title, .low = low, .high = high};
  axis.ticks = linear_ticks(low, high, 5);
  for (Tick& tick : axis.ticks) tick.text += "%";
  return axis;
}

Axis log_axis(const Unit& unit, double low, double high) { return cost_axis(unit, low, high); }

// Returns the largest share of a scratch run of this many tokens that the plan's own sizes can
// save, or, for a plan with one stage, all sizes.
double saved_by_own(const PlanPicture& picture, double tokens) {
  scaling::Family own;
  for (const PathStage& stage : picture.path) own.push_back(stage.size);
  if (own.size() == 1) own = picture.sizes;
  const double share = picture.run.decay / picture.run.tokens;
  const scaling::GrowthPaths growth_paths(own, own.back().curve->loss(tokens * (1 - share)),
                                          {.lost_tokens = picture.lost_tokens});
  return growth_paths.best(std::max<std::size_t>(2, picture.path.size())).tokens_saved / tokens;
}

double saved_by_plan(const PlanPicture& picture) {
  return 1 - cost_of_path(picture) / (picture.run.tokens * picture.path.back().size.cost);
}

}  // namespace

Figure path_figure(const PlanPicture& picture) {
  const scaling::Size& last = picture.path.back().size;
  const double scratch = picture.run.tokens * last.cost;
  const double high = std::max(scratch, cost_of_path(picture)) * 1.35;
  double low = scratch / 60;
  if (picture.path.size() > 1) low = std::min(low, picture.path[1].cost_before / 2.5);
  const Unit unit = unit_of(CostKind::flops, scratch);
  Figure figure{.title = "Loss against compute",
                .alt = "Predicted loss of every size and of the staged plan against FLOPs.",
                .width = 960,
                .height = 440};
  figure.x = log_axis(unit, low, high);
  for (const scaling::Size& size : picture.sizes)
    figure.lines.push_back(
        {.points = own_run(size, low, high, unit), .colour = kGrid, .width = 1.1});
  for (const PathStage& stage : picture.path) {
    const bool is_last = &stage == &picture.path.back();
    figure.lines.push_back({.points = own_run(stage.size, low, high, unit),
                            .colour = is_last ? kScratch : kMuted,
                            .width = is_last ? 1.8 : 1.2,
                            .dashed = !is_last});
  }
  Range losses;
  for (const PathStage& stage : picture.path) {
    figure.lines.push_back({.points = stage_run(stage, low, unit), .colour = kStaged, .width = 3});
    for (const XY& point : figure.lines.back().points) losses.add(point.y);
  }
  losses.add(last.curve->loss(low * 4 / last.cost));
  for (std::size_t i = 1; i < picture.path.size(); ++i) mark_growth(picture, i, unit, figure);
  const XY own{cost_of_path(picture) / unit.size, picture.end_loss},
      theirs{scratch / unit.size, picture.end_loss};
  figure.points.push_back({.points = {own}, .colour = kStaged});
  figure.points.push_back({.points = {theirs}, .colour = kScratch});
  figure.arrows.push_back({.from = theirs, .to = own, .colour = kGood});
  const double along = scratch / 7;
  figure.labels.push_back({.at = {along / unit.size, last.curve->loss(along / last.cost)},
                           .text = fmt::format("{} from scratch", last.name),
                           .colour = kScratch,
                           .dx = 1,
                           .dy = 0.6});
  figure.labels.push_back({.at = own,
                           .text = fmt::format("{:.1f}% less", 100 * (1 - own.x / theirs.x)),
                           .colour = kGood,
                           .align = Align::right,
                           .dx = -0.5,
                           .dy = -1.1});
  figure.y = loss_axis("predicted loss, nats per token", losses, 0.1, 0.03);
  return figure;
}

std::vector<Figure> timing_figures(const PlanPicture& picture) {
  std::vector<Figure> figures;
  for (std::size_t i = 1; i < picture.path.size(); ++i) {
    const scaling::Size &small = picture.path[i - 1].size, &large = picture.path[i].size;
    const double end = large.curve->tokens(picture.end_loss);
    const double whole = end * large.cost / (picture.run.tokens * picture.path.back().size.cost);
    const scaling::GrowthPoint best = scaling::best_growth(small, large, picture.end_loss);
    const double low = std::max(best.small_tokens, 1.0) / 12,
                 high = std::max(best.small_tokens, picture.path[i - 1].end) * 4;
    const Unit unit = unit_of(CostKind::tokens, high);
    const auto saved = [&](double tokens) {
      const double saved = scaling::growth_after(small, large, tokens).tokens_saved;
      return 100 * whole * (saved - picture.lost_tokens) / end;
    };
    std::vector<XY> all, plateau;
    for (int k = 0; k <= kPoints; ++k) {
      const double tokens = between(low, high, k, kPoints);
      const XY point{tokens / unit.size, saved(tokens)};
      all.push_back(point);
      if (tokens >= best.earliest && tokens <= best.latest) plateau.push_back(point);
    }
    Figure figure{.title = fmt::format("When to grow {} into {}", small.name, large.name),
                  .alt = "What the growth saves against its time.",
                  .width = 480,
                  .height = 320};
    const double top = std::max(saved(best.small_tokens), 1e-6);
    figure.x = log_axis(unit, low, high);
    figure.x.title =
        fmt::format("tokens of {} before it grows{} (log scale)", small.name,
                    unit.title.substr(std::min(unit.title.find(','), unit.title.size())));
    figure.y = percent_axis("saved of the run from scratch", -0.25 * top, 1.3 * top);
    std::erase_if(all, [&](const XY& p) { return p.y < figure.y.low; });
    figure.lines.push_back(
        {.points = {{low / unit.size, 0}, {high / unit.size, 0}}, .colour = kGrid});
    figure.lines.push_back({.points = finite(all), .colour = kStaged, .width = 1.6});
    figure.lines.push_back({.points = finite(plateau), .colour = kGood, .width = 5});
    const double chosen = picture.path[i - 1].end;
    figure.points.push_back(
        {.points = {{chosen / unit.size, saved(chosen)}}, .colour = kStaged, .size = 1.2});
    figure.labels.push_back({.at = {best.small_tokens / unit.size, top},
                             .text = fmt::format("{} to {} keeps 95%", short_count(best.earliest),
                                                 short_count(best.latest)),
                             .colour = kGood,
                             .align = Align::center,
                             .dy = 1.1});
    figure.labels.push_back({.at = {chosen / unit.size, saved(chosen)},
                             .text = "the plan",
                             .colour = kStaged,
                             .align = Align::center,
                             .dy = -1.4});
    figures.push_back(std::move(figure));
  }
  return figures;
}

Figure length_figure(const PlanPicture& picture) {
  const double tokens = picture.run.tokens, low = tokens / 6, high = tokens * 6;
  const Unit unit = unit_of(CostKind::tokens, tokens);
  const scaling::Size& smallest =
      picture.path.size() > 1 ? picture.path.front().size : picture.sizes.front();
  const double share = 1 - picture.run.decay / tokens;
  const double ceiling = 100 * (share * (1 - smallest.cost / picture.sizes.back().cost) -
                                picture.lost_tokens / tokens);
  Figure figure{.title = "What is saved, by the length of the run",
                .alt = "Floor and ceiling of the saving against tokens of the run from scratch.",
                .width = 480,
                .height = 320};
  std::vector<XY> floor;
  for (int i = 0; i <= 48; ++i) {
    const double at = between(low, high, i, 48);
    floor.push_back({at / unit.size, 100 * saved_by_own(picture, at)});
  }
  floor = finite(floor);
  if (!floor.empty()) {
    std::vector<XY> between_them = floor;
    between_them.push_back({floor.back().x, ceiling});
    between_them.push_back({floor.front().x, ceiling});
    figure.areas.push_back({.outline = between_them, .colour = kSoft});
  }
  figure.lines.push_back({.points = floor, .colour = kStaged, .width = 2.4});
  figure.lines.push_back({.points = {{low / unit.size, ceiling}, {high / unit.size, ceiling}},
                          .colour = kStaged,
                          .width = 1.6,
                          .dashed = true});
  const double here = 100 * saved_by_own(picture, tokens);
  figure.points.push_back({.points = {{tokens / unit.size, here}}, .colour = kStaged});
  figure.x = log_axis(unit, low, high);
  figure.x.title = "tokens of the run from scratch" +
                   unit.title.substr(std::min(unit.title.find(','), unit.title.size())) +
                   " (log scale)";
  figure.y = percent_axis("saved of its FLOPs", 0, ceiling * 1.18);
  figure.labels.push_back({.at = {low / unit.size, ceiling},
                           .text = "ceiling: a grown model mixes at once",
                           .colour = kStaged,
                           .dx = 0.5,
                           .dy = 0.9});
  figure.labels.push_back({.at = {high / unit.size, floor.empty() ? 0 : floor.back().y},
                           .text = fmt::format("floor: loss-state, here {:.1f}%", here),
                           .colour = kStaged,
                           .align = Align::right,
                           .dx = -0.5,
                           .dy = 2});
  return figure;
}

namespace {

// Marks the plan if it saves less than the best plan with as many stages.
void mark_plan(const PlanPicture& picture, const std::vector<XY>& best, Figure& figure) {
  const std::size_t stages = picture.path.size();
  const double saved = 100 * saved_by_plan(picture);
  if (stages > best.size() || best[stages - 1].y - saved < 0.1 || saved < 0) return;
  const XY at{static_cast<double>(stages), saved};
  figure.points.push_back({.points = {at}, .colour = {Ink::ink, 0}, .shape = Shape::ring});
  figure.labels.push_back({.at = at,
                           .text = fmt::format("this plan: {:.1f}", saved),
                           .colour = {Ink::ink, 0},
                           .dx = 1.2,
                           .dy = -0.2});
}

}  // namespace

Figure stages_figure(const PlanPicture& picture) {
  const scaling::LossCurve& curve = *picture.sizes.back().curve;
  const scaling::GrowthPaths growth_paths(picture.sizes, picture.pairs,
                                          curve.loss(picture.run.tokens - picture.run.decay),
                                          {.lost_tokens = picture.lost_tokens});
  const std::size_t most = std::min<std::size_t>(7, picture.sizes.size());
  std::vector<XY> points;
  for (std::size_t stages = 1; stages <= most; ++stages)
    points.push_back({static_cast<double>(stages),
                      100 * growth_paths.best(stages).tokens_saved / picture.run.tokens});
  const double limit =
      100 * (picture.endless > 0
                 ? picture.endless
                 : growth_paths.best(picture.sizes.size()).tokens_saved / picture.run.tokens);
  Figure figure{.title = "What the best sizes and more stages save",
                .alt = "Best saving under loss-state against the number of stages.",
                .width = 480,
                .height = 320};
  const double right = static_cast<double>(most) + 0.4;
  figure.x = {.title = "stages", .low = 0.6, .high = right};
  for (std::size_t stages = 1; stages <= most; ++stages)
    figure.x.ticks.push_back({static_cast<double>(stages), std::to_string(stages)});
  figure.y = percent_axis("saved, floor (loss-state)", 0, std::max(limit, 0.1) * 1.25);
  figure.lines.push_back(
      {.points = {{0.6, limit}, {right, limit}}, .colour = kMuted, .width = 1.4, .dashed = true});
  figure.lines.push_back({.points = points, .colour = kSoft, .width = 2});
  figure.points.push_back({.points = points, .colour = kStaged, .size = 1.1});
  if (picture.path.size() > 1) mark_plan(picture, points, figure);
  for (const XY& point : points)
    if (point.x > 1)
      figure.labels.push_back({.at = point,
                               .text = fmt::format("{:.1f}", point.y),
                               .colour = kStaged,
                               .align = Align::center,
                               .dy = -1.3});
  figure.labels.push_back({.at = {0.6, limit},
                           .text = picture.endless > 0
                                       ? fmt::format("endlessly many: {:.1f}%", limit)
                                       : fmt::format("as many as there are sizes: {:.1f}%", limit),
                           .colour = kMuted,
                           .dx = 0.5,
                           .dy = 0.8});
  return figure;
}

namespace {

std::string jobs_title(const PlanPicture& picture, const Unit& unit) {
  if (!picture.in_seconds) return unit.title + " (no times are known)";
  const std::string unit_name = unit.title.substr(unit.title.rfind(' ') + 1);
  return fmt::format("{} of training, evaluating and saving ({})", unit_name, picture.time_source);
}

}  // namespace

Figure jobs_figure(const PlanPicture& picture) {
  const double end = picture.jobs.back().begin + picture.jobs.back().length;
  const Unit unit = unit_of(picture.in_seconds ? CostKind::seconds : CostKind::flops, end);
  double most = 0;
  for (const PictureJob& job : picture.jobs) most = std::max({most, job.memory, job.growth_memory});
  const bool limited = picture.most_memory > 0 && picture.most_memory < 2 * most;
  if (limited) most = std::max(most, picture.most_memory);
  const double gib = most >= 1 << 30 ? 1 << 30 : 1 << 20;
  Figure figure{.title = "The stages in time, and the memory they need",
                .alt = "Memory of each stage against time.",
                .width = 960,
                .height = 260};
  figure.x = {.title = jobs_title(picture, unit), .low = 0, .high = 1.02 * end / unit.size};
  figure.x.ticks = linear_ticks(0, figure.x.high, 8);
  figure.y = {.title = most >= 1 << 30 ? "memory, GiB" : "memory, MiB",
              .low = 0,
              .high = 1.35 * most / gib};
  figure.y.ticks = linear_ticks(0, figure.y.high, 4);
  if (limited) {
    const double limit = picture.most_memory / gib;
    figure.lines.push_back({.points = {{0, limit}, {figure.x.high, limit}},
                            .colour = kMuted,
                            .width = 1.4,
                            .dashed = true});
    figure.labels.push_back({.at = {figure.x.high, limit},
                             .text = "the machine has " + short_bytes(picture.most_memory),
                             .colour = kMuted,
                             .align = Align::right,
                             .dx = -0.5,
                             .dy = 0.7});
  }
  for (const PictureJob& job : picture.jobs) {
    const double x0 = job.begin / unit.size, x1 = (job.begin + job.length) / unit.size,
                 top = job.memory / gib;
    figure.areas.push_back({.outline = {{x0, 0}, {x0, top}, {x1, top}, {x1, 0}}, .colour = kSoft});
    figure.lines.push_back(
        {.points = {{x0, 0}, {x0, top}, {x1, top}, {x1, 0}}, .colour = kStaged, .width = 1.8});
    const bool narrow = job.length < 0.15 * end;
    const bool below_limit =
        limited && top < picture.most_memory / gib && 1.2 * top > figure.y.high / 1.35;
    figure.labels.push_back({.at = {narrow ? x0 : (x0 + x1) / 2, top},
                             .text = fmt::format("{}: {}", job.name, short_bytes(job.memory)),
                             .colour = kStaged,
                             .align = narrow ? Align::left : Align::center,
                             .dx = narrow ? 0.3 : 0,
                             .dy = narrow        ? 2.1
                                   : below_limit ? -1.2
                                                 : 0.8});
    if (job.growth_memory <= 0) continue;
    figure.points.push_back({.points = {{x0, job.growth_memory / gib}},
                             .colour = {Ink::ink, 0},
                             .shape = Shape::triangle,
                             .size = 1.4});
    figure.labels.push_back({.at = {x0, job.growth_memory / gib},
                             .text = "growing: " + short_bytes(job.growth_memory),
                             .colour = {Ink::ink, 0},
                             .dx = 1.2,
                             .dy = 0.1});
  }
  return figure;
}

}  // namespace stagedtrain::report
