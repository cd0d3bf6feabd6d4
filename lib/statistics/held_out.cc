// Fits laws to the smaller sizes, each with a few samples, and evaluates them at the larger ones.
#include "statistics/held_out.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "statistics/bootstrap.h"

namespace stagedtrain::scaling {
namespace {

constexpr std::array kShares{0.2, 0.4, 0.6, 0.8};
constexpr int kSamples = 40;
constexpr std::size_t kFewestPoints = 8, kFewestSizes = 3, kFewestSamples = 10;
constexpr double kLastPart = 0.8;

bool enough(std::span<const RunPoint> points) {
  std::set<double> sizes, tokens;
  for (const RunPoint& p : points) {
    sizes.insert(p.parameters);
    tokens.insert(p.tokens);
  }
  return points.size() >= kFewestPoints && sizes.size() >= kFewestSizes &&
         tokens.size() >= kFewestSizes;
}

HeldOutRun held_out(const RunPoint& run, const Chinchilla& law, std::span<const Chinchilla> samples,
                    double largest) {
  const double loss = law.loss(run.parameters, run.tokens);
  HeldOutRun result{std::log(run.parameters / largest), std::log(run.loss / loss), {}};
  for (const Chinchilla& sample : samples)
    result.samples.push_back(std::log(sample.loss(run.parameters, run.tokens) / loss));
  return result;
}

// Returns the errors over the last part of a run as one number each, the means of logarithms.
HeldOutRun held_out(const JointRun& run, const JointFit& fit, double largest) {
  HeldOutRun result{std::log(run.parameters / largest), 0, std::vector<double>(fit.samples.size())};
  double last = 0, count = 0;
  for (const JointPoint& p : run.points) last = std::max(last, p.x);
  for (const JointPoint& p : run.points) count += p.x >= kLastPart * last;
  for (const JointPoint& p : run.points) {
    if (p.x < kLastPart * last) continue;
    const double loss = fit.law.loss(run.parameters, p.x, p.area);
    result.error += (std::log(p.loss / loss) - (p.training ? fit.gap : 0)) / count;
    for (std::size_t s = 0; s < fit.samples.size(); ++s)
      result.samples[s] +=
          std::log(fit.samples[s].loss(run.parameters, p.x, p.area) / loss) / count;
  }
  return result;
}

}  // namespace

std::vector<Tilt> held_out_tilts(std::span<const RunPoint> given, double huber, std::uint64_t seed) {
  std::vector<RunPoint> points(given.begin(), given.end());
  std::ranges::stable_sort(points, {}, &RunPoint::parameters);
  std::vector<Tilt> tilts;
  std::size_t last = 0;
  for (const double share : kShares) {
    auto count = static_cast<std::size_t>(share * static_cast<double>(points.size()));
    while (count < points.size() && count > 0 &&
           points[count].parameters == points[count - 1].parameters)
      ++count;
    const std::span<const RunPoint> kept = std::span(points).first(count);
    if (count == last || count == points.size() || !enough(kept)) continue;
    last = count;
    const ChinchillaFit fit = fit_chinchilla(kept, huber);
    const std::vector<Chinchilla> samples =
        bootstrap_chinchilla(kept, fit, {.resamples = kSamples, .seed = seed});
    if (!fit.converged || samples.size() < kFewestSamples) continue;
    std::vector<HeldOutRun> runs;
    for (const RunPoint& run : std::span(points).subspan(count))
      runs.push_back(held_out(run, fit.law, samples, kept.back().parameters));
    tilts.push_back(tilt_of(runs, fit.noise));
  }
  return tilts;
}

std::vector<Tilt> held_out_tilts(std::span<const JointRun> runs, JointFitOptions options) {
  options.resamples = kSamples;
  std::set<double> sizes;
  for (const JointRun& run : runs) sizes.insert(run.parameters);
  std::vector<Tilt> tilts;
  std::size_t below = 0;
  for (const double size : sizes) {
    if (++below < 2 || below == sizes.size()) continue;
    std::vector<JointRun> kept;
    for (const JointRun& run : runs)
      if (run.parameters <= size) kept.push_back(run);
    const JointFit fit = fit_joint(kept, options);
    if (!fit.converged) continue;
    std::vector<HeldOutRun> larger;
    for (const JointRun& run : runs)
      if (run.parameters > size) larger.push_back(held_out(run, fit, size));
    const double freedom = student_widening(fit.freedom);
    tilts.push_back(tilt_of(larger, std::max(1e-6, freedom * fit.scatter)));
  }
  return tilts;
}

}  // namespace stagedtrain::scaling
