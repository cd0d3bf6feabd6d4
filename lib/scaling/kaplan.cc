// Evaluates Kaplan's scaling law: tokens and slope in closed form, the loss by Newton's method.
#include "scaling/kaplan.h"

#include <cmath>

#include "base/error.h"

namespace stagedtrain::law {

double Kaplan::floor(double parameters) const { return std::pow(Nc / parameters, aN); }
double Kaplan::best_slope() const { return -1 / (1 / aS + 1 / aB + 1 / aN); }
double Kaplan::best_end() const { return 1 + aN / aS; }

KaplanCurve::KaplanCurve(const Kaplan& law, double parameters)
    : law_(law), floor_(law.floor(parameters)) {
  if (!(parameters > 0) || !std::isfinite(floor_))
    throw usage_error("Kaplan's law: found a size of {} parameters, expected more than 0",
                      parameters);
}

double KaplanCurve::tokens(double loss) const {
  if (loss <= floor_) return kInfinity;
  const double smallest_steps = law_.Sc * std::pow(loss - floor_, -1 / law_.aS);
  return 2 * smallest_steps * law_.critical * std::pow(loss, -1 / law_.aB);
}

double KaplanCurve::tokens_slope(double loss) const {
  return -tokens(loss) * (1 / (law_.aB * loss) + 1 / (law_.aS * (loss - floor_)));
}

// ln D is a falling, concave function of u = ln(L - floor), so from the second step on Newton's
// method approaches the root from one side.
double KaplanCurve::loss(double tokens) const {
  if (tokens <= 0) return kInfinity;
  double u = 0;
  for (int i = 0; i < 100; ++i) {
    const double excess = std::exp(u), loss = floor_ + excess;
    const double ahead = std::log(this->tokens(loss) / tokens);
    const double step = ahead / (excess / (law_.aB * loss) + 1 / law_.aS);
    u += step;
    if (std::abs(step) <= 1e-15 * (1 + std::abs(u))) break;
  }
  return floor_ + std::exp(u);
}

}  // namespace stagedtrain::law
