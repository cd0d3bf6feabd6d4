// How far does a falling learning rate bring the loss below a curve at the peak rate? The annealing
// law.
#pragma once

#include <array>
#include <compare>
#include <span>
#include <vector>

#include "scaling/curve_points.h"
#include "scaling/stage_curve.h"

namespace stagedtrain::scaling {

// L(t) = L0 + A x^-alpha - C S. x is the learning spent up to step t, in steps at the peak rate
// (RateResponse below), and the power law in x is a stage's curve. S is the annealing area: the sum
// of the falls of the rate so far, as shares of the peak, each weighted by the share of its effect
// that has set in:
//   S(t) = sum over k <= t of (r_(k-1) - r_k) (1 - (1 + c (x_t - x_(k-1)))^-0.3)
// This is the form of the multi-power law (arXiv 2503.12811) with its exponent fixed at 0.3 and
// without its dependence on the rate after the fall. c is the relaxation. The rise of the warm-up
// is left out; a later rise counts as a negative fall. The law is valid for one size and one peak,
// because the strength C is fitted.
//
// Measured (docs/planning.md): the effect of a fall grows with the steps after it, and saturates
// near C times the fall. c is about .01 for single public curves of 24,000 steps; joint fits chose
// 1 for these curves, and .06 to 1 for byte models of 1,400 steps.
//
// Rejected: the law of Tissue et al. (arXiv 2408.11029), whose momentum has a single decay factor,
// lambda = .999. Byte models would need .98, and no lambda fits short and long decays of one model:
// fitted to runs with short decays, the law missed the ends of cosine runs by .07 to .4 nats.
inline constexpr double kRelaxation = 0.015;

// How the loss of a run responds to its learning rate. After the warm-up, a step at the rate r (as
// a share of the peak) teaches as much as r^rate_exponent steps at the peak, and adds that to x.
// Published annealing laws use the exponent 1, the sum of the rates. Chinchilla's law counts tokens
// at all rates alike, which is the exponent 0. Which is nearer depends on the peak: if that is
// above the best rate, a lower rate teaches as much. Joint fits chose .7 for public
// curves and .2 to 1 for byte models (docs/planning.md).
struct RateResponse {
  double relaxation = kRelaxation;
  double rate_exponent = 1;
  auto operator<=>(const RateResponse&) const = default;
};
// The values from which a fit to several runs chooses.
inline constexpr std::array kRelaxations = {0.004, 0.015, 0.06, 0.25, 1.0, 4.0};
inline constexpr std::array kRateExponents = {1.0, 0.7, 0.4, 0.2, 0.1};

// Returns S after each step. `rates` holds the rate of every step from the first, as a share of the
// peak.
std::vector<double> annealing_areas(std::span<const double> rates,
                                    const RateResponse& response = {});

// Returns the rate of every step from begin + 1 to the last logged one, as a share of the highest.
// Rates between two logged steps are interpolated linearly; before the first one they rise from 0.
std::vector<double> rates_of(std::span<const LoggedStep> steps, double begin);

// Returns C: by how much the losses lie below the curve per annealing area, by least squares over
// the logged steps after the peak. Returns NaN for fewer than six of these, if the rate does not
// fall to half of its peak, and if the losses lie above the curve.
double annealing_strength(const StageCurve& curve, std::span<const LoggedStep> steps, double begin);

}  // namespace stagedtrain::scaling
