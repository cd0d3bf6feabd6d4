// The annealing law: how far a falling learning rate brings the loss below a curve at the peak rate.
#pragma once

#include <array>
#include <compare>
#include <span>
#include <vector>

#include "scaling/curve_points.h"
#include "scaling/stage_curve.h"

namespace stagedtrain::law {

// L(t) = L0 + A x^-alpha - C S. x is the learning spent up to step t, in steps at the peak rate
// (RateResponse below); the power law is a stage's curve. S is the annealing area, the falls of the
// rate so far (as parts of the peak), each weighted by how much of its effect it has had:
//   S(t) = sum over k <= t of (r_(k-1) - r_k) (1 - (1 + c (x_t - x_(k-1)))^-0.3)
// This is the form of the multi-power law (arXiv 2503.12811) with its exponent fixed at 0.3 and
// without its dependence on the rate after the fall. c is the relaxation. The warm-up's rise is
// left out; a later rise counts back. Valid for one size and one peak, since C is a fitted
// strength.
//
// Measured (docs/planning.md): the effect of a fall saturates; it grows with the steps after it and
// ends near C times the fall. Of single public curves of 24,000 steps c is about .01; joint fits
// chose 1 for them and .06 to 1 for byte models of 1,400.
//
// Rejected: Tissue et al. (arXiv 2408.11029), whose momentum has one memory, lambda = .999. Byte
// models would need .98, and no lambda fits short and long decays of one model together: ends of
// cosine runs were predicted .07 to .4 nats off from runs with short decays.
inline constexpr double kRelaxation = 0.015;

// How the loss of a run responds to its learning rate. After the warm-up a step at the rate r (a
// part of the peak) adds r^rate_exponent to x: it teaches as much as so many steps at the peak.
// Published annealing laws take 1, the sum of the rates; Chinchilla's law, which counts tokens at
// any rate, takes 0. Which is nearer depends on the peak: above the best rate, a lower one teaches
// as much. Public curves have 1, byte models at a peak of 3e-3 have .4 to .7.
struct RateResponse {
  double relaxation = kRelaxation;
  double rate_exponent = 1;
  auto operator<=>(const RateResponse&) const = default;
};
// The values among which a fit to several runs chooses.
inline constexpr std::array kRelaxations = {0.004, 0.015, 0.06, 0.25, 1.0, 4.0};
inline constexpr std::array kRateExponents = {1.0, 0.7, 0.4, 0.2, 0.1};

// Returns S after each step; rates of every step from the first, as parts of the peak.
std::vector<double> annealing_areas(std::span<const double> rates,
                                    const RateResponse& response = {});

// The rate of every step from begin + 1 to the last logged one, as parts of the highest: between two
// logged steps as on a line, before the first as a rise from 0.
std::vector<double> rates_of(std::span<const LoggedStep> steps, double begin);

// C: by how much the losses lie below the curve, per annealing area; least squares over the logged
// steps after the peak. NaN for fewer than six of them, for a rate that does not come down to half of
// its peak, and for losses that lie above the curve.
double annealing_strength(const StageCurve& curve, std::span<const LoggedStep> steps, double begin);

}  // namespace stagedtrain::law
