// Families of sizes for tests, whose tokens cost in proportion to their parameters.
#pragma once

#include <memory>
#include <string>

#include "scaling/chinchilla.h"
#include "scaling/kaplan.h"

namespace stagedtrain::test {

inline law::Size kaplan_size(double parameters, const law::Kaplan& law = {}) {
  return {std::to_string(parameters), 6 * parameters,
          std::make_shared<law::KaplanCurve>(law, parameters)};
}

inline law::Size chinchilla_size(const law::Chinchilla& law, double parameters) {
  return {std::to_string(parameters), 6 * parameters,
          std::make_shared<law::PowerCurve>(law.curve(parameters))};
}

}  // namespace stagedtrain::test
