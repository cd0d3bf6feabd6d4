// Pairs the losses of two logs by walking along both, and averages the differences.
#include "outcomes/paired.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::plan {
namespace {

constexpr std::size_t kMostBlocks = 8, kFewest = 6;

template <class Points, class StepOf, class LossOf, class Alike>
PairedLosses pairs_of(const Points& a, const Points& b, double from, double to, StepOf step,
                      LossOf loss, Alike alike) {
  PairedLosses pairs;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (step(*i) < step(*j)) {
      ++i;
    } else if (step(*j) < step(*i)) {
      ++j;
    } else {
      if (step(*i) >= from && step(*i) <= to && alike(*i, *j)) {
        pairs.steps.push_back(step(*i));
        pairs.difference.push_back(loss(*i) - loss(*j));
      }
      ++i, ++j;
    }
  }
  return pairs;
}

}  // namespace

PairedLosses paired_losses(const LoggedCurve& a, const LoggedCurve& b, double from, double to) {
  return pairs_of(
      a.steps, b.steps, from, to, [](const scaling::LoggedStep& s) { return s.step; },
      [](const scaling::LoggedStep& s) { return s.loss; },
      [](const scaling::LoggedStep& s, const scaling::LoggedStep& t) {
        return s.steps == t.steps;
      });
}

PairedLosses paired_evaluations(const runlog::Run& a, const runlog::Run& b, double from,
                                double to) {
  return pairs_of(
      a.evaluations, b.evaluations, from, to, [](const runlog::Evaluation& e) { return e.at.step; },
      [](const runlog::Evaluation& e) { return e.loss; },
      [](const runlog::Evaluation&, const runlog::Evaluation&) { return true; });
}

std::optional<PairedMean> mean_of(const PairedLosses& pairs, std::size_t first) {
  if (pairs.size() < first + kFewest) return {};
  const std::size_t count = pairs.size() - first, blocks_all = std::min(count, kMostBlocks);
  PairedMean mean;
  std::vector<double> blocks(blocks_all, 0), sizes(blocks_all, 0);
  for (std::size_t i = 0; i < count; ++i) {
    const double value = pairs.difference[first + i];
    mean.step += pairs.steps[first + i] / static_cast<double>(count);
    mean.difference += value / static_cast<double>(count);
    blocks[i * blocks_all / count] += value;
    sizes[i * blocks_all / count] += 1;
  }
  double squares = 0;
  for (std::size_t b = 0; b < blocks_all; ++b)
    squares += std::pow(blocks[b] / sizes[b] - mean.difference, 2);
  const auto n = static_cast<double>(blocks_all);
  mean.error = std::sqrt(squares / (n - 1) / n);
  return mean;
}

}  // namespace stagedtrain::plan
