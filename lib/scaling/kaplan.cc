// Evaluates Kaplan's scaling law: tokens and slope in closed form, the loss by Newton's method.
#include "scaling/kaplan.h"

#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace stagedtrain::scaling {

double Kaplan::floor(double parameters) const { return std::pow(Nc / parameters, aN); }

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
  const double log_scale = std::log(2 * law_.Sc * law_.critical / tokens);
  const auto ahead = [&](double u) {  // ln of the tokens that this loss takes over those given
    const double excess = std::exp(u), loss = floor_ + excess;
    return std::pair(log_scale - u / law_.aS - std::log(loss) / law_.aB,
                     -excess / (law_.aB * loss) - 1 / law_.aS);
  };
  constexpr double kLargest = 700;  // exp(700) is near the largest number
  std::uintmax_t most_steps = 100;
  constexpr int kDigits = std::numeric_limits<double>::digits;
  return floor_ + std::exp(boost::math::tools::newton_raphson_iterate(
                      ahead, 0.0, -kLargest, kLargest, kDigits, most_steps));
}

}  // namespace stagedtrain::scaling
