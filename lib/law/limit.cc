// At a loss L, size N costs N |dD/dL| for the next bit of loss. The size that makes this least has
// a share of the loss that does not depend on L, and the cost to come down to L is then a power of
// L (of L - E), whose integral is closed form.
#include "law/limit.h"

#include <cmath>

namespace stagedtrain::law {

// d/dz of z^-1/a (1-z)^-(1/b+1) is zero at the share; the cost to M = L - E goes as M^-(1/a+1/b).
Limit endless_stages(const Chinchilla& law, double parameters) {
  const double u = 1 / law.a, v = 1 / law.b;
  Limit limit;
  limit.share = u / (u + v + 1);
  limit.loss = law.E + law.A * std::pow(parameters, -law.a) / limit.share;
  const double tokens = law.curve(parameters).tokens(limit.loss);
  limit.credit = tokens * (1 - v / (1 - limit.share) / (u + v));
  return limit;
}

// The same with y = (L - floor) / L; the equation for it is a quadratic: with s = 1/aS, b = 1/aB
// and n = 1/aN,  n / (1-y) = s/y + s / (y (b y + s)).
Limit endless_stages(const Kaplan& law, double parameters) {
  const double n = 1 / law.aN, s = 1 / law.aS, b = 1 / law.aB;
  // n y (b y + s) = s (1 - y) (b y + s + 1)
  const double p = b * (n + s), q = s * (n - b + s + 1), r = -s * (s + 1);
  Limit limit;
  limit.share = (-q + std::sqrt(q * q - 4 * p * r)) / (2 * p);
  const KaplanCurve curve(law, parameters);
  limit.loss = curve.floor() / (1 - limit.share);
  limit.credit = curve.tokens(limit.loss) * (1 - (b + s / limit.share) / (n + s + b));
  return limit;
}

}  // namespace stagedtrain::law
