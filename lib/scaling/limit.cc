// How many tokens would endlessly many stages save? This is the bound for any number of stages.
//
// At the loss L, size N pays  N |dD_N/dL|  for the next bit of loss, as a token costs in proportion
// to N and a growth costs nothing. Let the size that pays least train at every loss. By both laws
// its excess over its own floor is a constant share of the loss:
//   Chinchilla: z = A N^-a / (L - E);    Kaplan: y = (L - floor) / L.
// With N expressed by z (by y) the price of the next bit of loss is a power of M = L - E (of L)
// times a function of the share alone. The minimum of that function gives the share, and the power
// has an integral in closed form. The final size is reached where its own share is the optimal one:
//   Chinchilla: z = u / (u + v + 1), u = 1/a, v = 1/b;
//     L = E + A N^-a / z, tokens saved = D_N(L) (1 - v / ((1 - z) (u + v))).
//   Kaplan: n y (b y + s) = s (1 - y) (b y + s + 1), n = 1/aN, s = 1/aS, b = 1/aB;
//     L = floor / (1 - y), tokens saved = D_N(L) (1 - (b + s / y) / (n + s + b)).
// From there on the staged run and the run from scratch are the same. The derivation is our own;
// tests/scaling/chinchilla_test.cc and kaplan_test.cc compare it with paths of many sizes.
//
// Rejected: a growth path over a fine grid of sizes. Its sum converges slowly and gives no bound.
#include "scaling/limit.h"

#include <cmath>

namespace stagedtrain::scaling {

// The price at a share z is proportional to z^-u (1 - z)^-(v + 1), and the cost of reaching M
// to M^-(u + v).
Limit endless_stages(const Chinchilla& law, double parameters) {
  const double u = 1 / law.a, v = 1 / law.b;
  Limit limit;
  limit.share = u / (u + v + 1);
  limit.loss = law.E + law.A * std::pow(parameters, -law.a) / limit.share;
  const double tokens = law.curve(parameters).tokens(limit.loss);
  limit.tokens_saved = tokens * (1 - v / (1 - limit.share) / (u + v));
  return limit;
}

// The price at a share y is proportional to (1 - y)^-n y^-s (b + s / y). Its minimum is the
// positive root of a quadratic equation.
Limit endless_stages(const Kaplan& law, double parameters) {
  const double n = 1 / law.aN, s = 1 / law.aS, b = 1 / law.aB;
  // n y (b y + s) = s (1 - y) (b y + s + 1)
  const double p = b * (n + s), q = s * (n - b + s + 1), r = -s * (s + 1);
  Limit limit;
  limit.share = (-q + std::sqrt(q * q - 4 * p * r)) / (2 * p);
  const KaplanCurve curve(law, parameters);
  limit.loss = curve.floor() / (1 - limit.share);
  limit.tokens_saved = curve.tokens(limit.loss) * (1 - (b + s / limit.share) / (n + s + b));
  return limit;
}

}  // namespace stagedtrain::scaling
