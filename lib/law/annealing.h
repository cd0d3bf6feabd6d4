// The annealing law: how far a falling learning rate brings the loss below a curve at the peak rate.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "law/curve_points.h"
#include "law/stage_curve.h"

namespace stagedtrain::law {

// Tissue et al. 2024 (arXiv 2408.11029): L(s) = L0 + A S1^-alpha - C S2, with S1 the sum of the
// rates up to step s and S2 the annealing area: the sum over the steps i up to s of a momentum
//   m_i = lambda m_(i-1) + (r_(i-1) - r_i).
// Here rates are parts of the peak, the power law is a stage's curve, whose x is S1, and C is the
// strength. The rise of the warm-up is left out: m is 0 up to the first peak; a later rise counts
// back. lambda is the paper's: one decayed run fixes C, but not both. Valid for one size and one
// peak. The multi-power law (arXiv 2503.12811) has seven values, which a constant and a cosine run
// do not fix.
inline constexpr double kAnnealing = 0.999;
// The values among which a fit to several runs chooses. 1 / (1 - lambda) is the number of steps
// over which a fall of the rate goes on lowering the loss. The paper's runs took 20,000 steps or
// more; byte models of 1,400 steps had 20 to 100.
inline constexpr std::array kAnnealingChoices = {0.999, 0.998, 0.996, 0.992,
                                                 0.985, 0.97,  0.94,  0.9};

// S2 after each step; rates of every step from the first.
std::vector<double> annealing_areas(std::span<const double> rates, double lambda = kAnnealing);

// The rate of every step from begin + 1 to the last logged one, as parts of the highest: between two
// logged steps as on a line, before the first as a rise from 0.
std::vector<double> rates_of(std::span<const LoggedStep> steps, double begin);

// C: by how much the losses lie below the curve, per annealing area; least squares over the logged
// steps after the peak. NaN for fewer than six of them, for a rate that does not come down to half of
// its peak, and for losses that lie above the curve.
double annealing_strength(const StageCurve& curve, std::span<const LoggedStep> steps, double begin);

}  // namespace stagedtrain::law
