// Runs of several sizes by a joint law that is drawn at random: what fits are judged by.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "scaling/annealing.h"
#include "statistics/fit_joint.h"

namespace stagedtrain::test {

// Runs of 3,000 and 6,000 steps in turn, the last fifth of each a linear decay. Runs of a size differ by a
// seed's offset; training losses scatter by 1%, validation losses by .1%.
struct JointSimulation {
  scaling::JointLaw law;
  std::vector<scaling::JointRun> runs;
  // One more run: four times the largest size, twice the text of the longest.
  double parameters = 0, tokens = 0, area = 0.9, loss = 0;

  JointSimulation(int sizes, int runs_of_each, double seed_scatter, std::uint64_t seed) {
    const CounterRng rng(11, seed);
    const auto between = [&](std::uint64_t i, double low, double high) {
      return low + (high - low) * rng.uniform(900'000 + i);
    };
    law = {.E = between(0, 1.2, 2.2),
           .A = between(1, .4, 1.2),
           .a = .34 * std::exp(.3 * rng.normal(800'000)),
           .B = between(2, .3, .9),
           .b = between(3, .3, .6),
           .beta = between(4, -.05, .1),
           .C = between(5, .05, .12),
           .gamma = between(6, 0, .2),
           .size = 1e6,
           .tokens = 1e8};
    std::uint64_t draw = 0;
    for (int k = 0; k < sizes; ++k)
      for (int j = 0; j < runs_of_each; ++j) {
        runs.push_back({4e5 * std::pow(2.5, k), {}});
        const double offset = seed_scatter * rng.normal(draw++);
        add_run(3000 * (1 + (k + j) % 2), [&](double deviation) {
          return std::exp(offset + deviation * rng.normal(draw++));
        });
      }
    parameters = 4 * runs.back().parameters;
    tokens = 16384 * 12000.0;
    loss = law.loss(parameters, tokens, area) * std::exp(seed_scatter * rng.normal(700'000));
  }

 private:
  template <class Noise>
  void add_run(int steps, Noise noise) {
    scaling::JointRun& run = runs.back();
    std::vector<double> rates;
    for (int i = 1; i <= steps; ++i)
      rates.push_back(std::min({1.0, i / 100.0, (steps + 1 - i) / (.2 * steps)}));
    const std::vector<double> areas = scaling::annealing_areas(rates);
    const std::vector<double> spent = scaling::learning_spent(rates, 1);
    for (int i = 300; i <= steps; i += 150) {
      const auto at = static_cast<std::size_t>(i - 1);
      const double x = 16384 * spent[at], exact = law.loss(run.parameters, x, areas[at]);
      run.points.push_back({x, areas[at], exact * noise(.01), true});
      if (i % 600 == 0) run.points.push_back({x, areas[at], exact * noise(.001), false});
    }
  }
};

}  // namespace stagedtrain::test
