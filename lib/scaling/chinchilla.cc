// Evaluates Chinchilla's scaling law, and lists the constants that were published for it.
#include "scaling/chinchilla.h"

#include <cmath>

namespace stagedtrain::scaling {

double Chinchilla::loss(double parameters, double tokens) const {
  return E + A * std::pow(parameters, -a) + B * std::pow(tokens, -b);
}

PowerCurve Chinchilla::curve(double parameters) const {
  return PowerCurve(E + A * std::pow(parameters, -a), B, b);
}

// `hoffmann` has the exponents of the paper's TeX source. The text of the paper rounds them to .34
// and .28, which changes a loss of 2.8 by 0.05. Hoffmann's fit stopped before the optimum;
// `besiroglu` is the optimum for the same data.
const std::vector<ChinchillaConstants>& chinchilla_constants() {
  static const std::vector<ChinchillaConstants> table = {
      {"besiroglu",
       "Besiroglu et al. 2024 (arXiv 2404.10102), refit of Hoffmann's own data",
       {1.8172, 482.01, 2085.43, 0.3478, 0.3658}},
      {"hoffmann",
       "Hoffmann et al. 2022 (arXiv 2203.15556), unrounded, from the paper's TeX source",
       {1.6934, 406.4, 410.7, 0.3392, 0.2849}},
  };
  return table;
}

}  // namespace stagedtrain::scaling
