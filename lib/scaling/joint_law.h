// What is the loss of a model of any size along a whole run, at any learning rate? The joint law.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "scaling/annealing.h"
#include "scaling/stage_curve.h"

namespace stagedtrain::scaling {

// L(N, x, S) = E + A n^-a + B n^beta ((x + x0) / tokens)^-b - C n^gamma S,   n = N / size.
//
// N counts parameters without embeddings. x is the number of tokens so far, each weighted by
// (learning rate / peak)^q, and S is the annealing area (RateResponse in scaling/annealing.h). The
// exponents a and b and the irreducible loss E are shared by all sizes, so a few small models say
// something about a larger one. Chinchilla's law is the case beta = 0 for runs that end alike;
// Tissue et al. (arXiv 2408.11029, equation 4) add N as here, with beta = gamma = 0. On public
// curves of 25M, 100M and 400M parameters B grows 1.03-fold and C 1.2-fold for each fourfold size.
// `size` and `tokens` are only units; values in the middle of the data keep E, A and B comparable.
struct JointLaw {
  double E = 0, A = 0, a = 0, B = 0, b = 0, beta = 0, C = 0, gamma = 0, x0 = 0;
  double size = 1, tokens = 1;
  RateResponse response;  // determines x and S from the rates

  double loss(double parameters, double x, double area) const;
  // Returns the loss curve of one size over tokens at the peak rate (area 0).
  PowerCurve curve(double parameters) const;
  // Returns by how much a unit of annealing area lowers the loss of this size.
  double annealing(double parameters) const;
};

// The parameters that a fit varies: the logarithms of E, A, a, B, b and C, and beta, gamma and x0 /
// tokens.
inline constexpr std::size_t kJointParameters = 9;
using JointParameters = std::array<double, kJointParameters>;

// Returns the law with these parameters. Its size, tokens and response are those of `units`.
JointLaw joint_law(std::span<const double> parameters, const JointLaw& units);
// Returns d loss / d parameter for each of the parameters of joint_law().
JointParameters joint_gradient(const JointLaw& law, double parameters, double x, double area);

}  // namespace stagedtrain::scaling
