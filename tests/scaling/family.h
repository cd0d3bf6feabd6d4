// Families of sizes for tests, whose tokens cost in proportion to their parameters.
#pragma once

#include <memory>
#include <string>

#include "scaling/chinchilla.h"
#include "scaling/kaplan.h"

namespace stagedtrain::test {

inline scaling::Size kaplan_size(double parameters, const scaling::Kaplan& law = {}) {
  return {std::to_string(parameters), 6 * parameters,
          std::make_shared<scaling::KaplanCurve>(law, parameters)};
}

inline scaling::Size chinchilla_size(const scaling::Chinchilla& law, double parameters) {
  return {std::to_string(parameters), 6 * parameters,
          std::make_shared<scaling::PowerCurve>(law.curve(parameters))};
}

}  // namespace stagedtrain::test
