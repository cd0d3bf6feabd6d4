// The annealing law: the loss after any course of the learning rate, in five values.
#pragma once

#include <span>
#include <vector>

namespace stagedtrain::law {

// Tissue et al. 2024 (arXiv 2408.11029): L(s) = L0 + A S1^-alpha - C S2, with S1 the sum of the
// rates up to step s and S2 the annealing area: the sum over the steps i up to s of a momentum
//   m_i = lambda m_(i-1) + (r_(i-1) - r_i).
// The rise of the warm-up is left out: m is 0 up to the first peak; a later rise counts back. Valid
// for one size and one peak; from constant and cosine runs it misses the end of a WSD run by .0004
// to .033 nats.
struct Annealing {
  double L0 = 0, A = 0, alpha = 0, C = 0;
  double lambda = 0.999;

  // rates of every step from the first; the loss after each step.
  std::vector<double> losses(std::span<const double> rates) const;
};

// S2 after each step: what the fit needs, which is linear in C for a given lambda.
std::vector<double> annealing_areas(std::span<const double> rates, double lambda);

}  // namespace stagedtrain::law
