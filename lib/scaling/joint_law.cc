// Evaluates the joint law and its derivatives.
#include "scaling/joint_law.h"

#include <cmath>

namespace stagedtrain::scaling {

PowerCurve JointLaw::curve(double parameters) const {
  const double n = parameters / size;
  return PowerCurve(E + A * std::pow(n, -a), B * std::pow(n, beta) * std::pow(tokens, b), b, x0);
}

double JointLaw::annealing(double parameters) const {
  return C * std::pow(parameters / size, gamma);
}

double JointLaw::loss(double parameters, double x, double area) const {
  const double n = parameters / size;
  return E + A * std::pow(n, -a) + B * std::pow(n, beta) * std::pow((x + x0) / tokens, -b) -
         annealing(parameters) * area;
}

JointLaw joint_law(std::span<const double> p, const JointLaw& units) {
  JointLaw law = units;
  law.E = std::exp(p[0]);
  law.A = std::exp(p[1]);
  law.a = std::exp(p[2]);
  law.B = std::exp(p[3]);
  law.b = std::exp(p[4]);
  law.beta = p[5];
  law.C = std::exp(p[6]);
  law.gamma = p[7];
  law.x0 = p[8] * units.tokens;
  return law;
}

JointParameters joint_gradient(const JointLaw& law, double parameters, double x, double area) {
  const double n = std::log(parameters / law.size), distance = (x + law.x0) / law.tokens;
  const double by_size = law.A * std::exp(-law.a * n);
  const double by_text = law.B * std::exp(law.beta * n) * std::pow(distance, -law.b);
  const double gain = law.C * std::exp(law.gamma * n) * area;
  return {law.E,        by_size, -by_size * law.a * n, by_text, -by_text * law.b * std::log(distance),
          by_text * n, -gain,   -gain * n,            -by_text * law.b / distance};
}

}  // namespace stagedtrain::scaling
