// Groups runs by everything except their seed, and averages each group.
#include "compare/seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/mean.h"
#include "compare/fairness.h"
#include "compare/run_names.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

using runlog::Evaluation, runlog::kUnknown, runlog::Place, runlog::Run, runlog::Sample,
    runlog::StepPoint;
using Members = std::vector<const Run*>;

// If all values agree in every digit, the standard error is unknown, not 0.
Mean mean_of_samples(const std::vector<double>& values) {
  Mean mean = mean_of(values);
  if (mean.error == 0) mean.error = kUnknown;
  return mean;
}

// Returns the mean of a value over the members, with its standard error.
template <class Value>
Mean mean(const Members& members, Value value) {
  std::vector<double> values;
  for (const Run* member : members) values.push_back(value(*member));
  return mean_of_samples(values);
}

template <class At>
Place mean_place(const Members& members, At at) {
  const auto part = [&](double Place::*one) {
    return mean(members, [&](const Run& run) { return at(run).*one; }).value;
  };
  return {part(&Place::step), part(&Place::tokens), part(&Place::flops), part(&Place::seconds)};
}

// Returns the run's point at the same step and stage, or null.
template <class Point>
const Point* same_point(const std::vector<Point>& points, const Point& wanted) {
  const auto first = std::ranges::lower_bound(points, wanted.at.step, {},
                                              [](const Point& point) { return point.at.step; });
  for (auto point = first; point != points.end() && point->at.step == wanted.at.step; ++point)
    if (point->stage == wanted.stage) return &*point;
  return nullptr;
}

// Returns the points that every member has, each averaged over the members.
template <class Point>
std::vector<Point> mean_points(const Members& members, std::vector<Point> Run::*points,
                               void (*fill)(Point& point, const std::vector<const Point*>& all)) {
  std::vector<Point> means;
  for (const Point& point : members.front()->*points) {
    std::vector<const Point*> all;
    for (const Run* member : members)
      if (const Point* same = same_point(member->*points, point)) all.push_back(same);
    if (all.size() < members.size()) continue;
    Point one = point;
    double seconds = 0;
    for (const Point* each : all) seconds += each->at.seconds / static_cast<double>(all.size());
    one.at.seconds = seconds;
    fill(one, all);
    means.push_back(std::move(one));
  }
  return means;
}

template <class Point>
Mean mean_of(const std::vector<const Point*>& all, double Point::*part) {
  std::vector<double> values;
  for (const Point* point : all) values.push_back(point->*part);
  return mean_of_samples(values);
}

void fill_evaluation(Evaluation& point, const std::vector<const Evaluation*>& all) {
  const Mean loss = mean_of(all, &Evaluation::loss);
  point.loss = loss.value;
  point.se = loss.error;
}

void fill_step(StepPoint& point, const std::vector<const StepPoint*>& all) {
  point.loss = mean_of(all, &StepPoint::loss).value;
  point.grad_norm = mean_of(all, &StepPoint::grad_norm).value;
  point.lr = mean_of(all, &StepPoint::lr).value;
}

Run mean_run(const Members& members) {
  Run result = *members.front();
  for (const Run* member : members) {
    result.samples.push_back({member->name, *member->seed, member->end->loss});
    result.moved = result.moved || member->moved || member->device != result.device ||
                   member->threads != result.threads || member->hardware != result.hardware;
  }
  result.seed.reset();
  const Mean loss = mean(members, [](const Run& run) { return run.end->loss; });
  result.end->loss = loss.value;
  result.end->se = loss.error;
  result.end->bits_per_byte =
      mean(members, [](const Run& run) { return run.end->bits_per_byte; }).value;
  result.end->at = mean_place(members, [](const Run& run) { return run.end->at; });
  result.steps = mean_points<StepPoint>(members, &Run::steps, fill_step);
  result.evaluations = mean_points<Evaluation>(members, &Run::evaluations, fill_evaluation);
  result.stage_ends = mean_points<Evaluation>(members, &Run::stage_ends, fill_evaluation);
  name_mean(result);
  return result;
}

bool same_stages(const Run& a, const Run& b) {
  return std::ranges::equal(a.stages, b.stages, [](const auto& one, const auto& other) {
    return one.name == other.name && one.grow == other.grow && one.model == other.model;
  });
}

bool same_but_for_seed(const Run& a, const Run& b) {
  if (!a.seed || !b.seed || !a.comparable() || !b.comparable()) return false;
  return a.role == b.role && a.from == b.from && same_stages(a, b) &&
         a.settings.empty() == b.settings.empty() && a.end->at.step == b.end->at.step &&
         a.end->at.flops == b.end->at.flops && differences(a, b).empty();
}

}  // namespace

std::vector<Run> mean_over_seeds(std::vector<Run> runs) {
  std::vector<Members> groups;
  for (const Run& run : runs) {
    const auto fits = [&](const Members& group) {
      return same_but_for_seed(*group.front(), run) &&
             std::ranges::none_of(group, [&](const Run* one) { return one->seed == run.seed; });
    };
    const auto group = std::ranges::find_if(groups, fits);
    if (group == groups.end()) {
      groups.push_back({&run});
    } else {
      group->push_back(&run);
    }
  }
  std::vector<Run> result;
  for (const Members& group : groups)
    result.push_back(group.size() == 1 ? *group.front() : mean_run(group));
  return result;
}

std::vector<double> seeds_of(const Run& run) {
  std::vector<double> seeds;
  for (const Sample& sample : run.samples) seeds.push_back(sample.seed);
  if (run.seed) seeds.push_back(*run.seed);
  std::ranges::sort(seeds);
  return seeds;
}

std::string seeds_text(const Run& run) {
  std::vector<std::string> seeds;
  for (const double seed : seeds_of(run)) seeds.push_back(format_number(seed));
  if (seeds.empty()) return "seed unknown";
  return (seeds.size() == 1 ? "seed " : "seeds ") + join(seeds, ", ");
}

bool have_seeds_of(const Run& staged, const std::vector<Run>& runs,
                   const std::vector<std::size_t>& indices) {
  return std::ranges::all_of(indices,
                             [&](std::size_t i) { return seeds_of(runs[i]) == seeds_of(staged); });
}

std::vector<std::size_t> prefer_seeds_of(const Run& staged, const std::vector<Run>& runs,
                                         const std::vector<std::size_t>& indices) {
  std::vector<std::size_t> same;
  for (const std::size_t i : indices)
    if (have_seeds_of(staged, runs, {i})) same.push_back(i);
  return same.size() >= 2 ? same : indices;
}

}  // namespace stagedtrain::report
