// Formats a measured number with its standard error.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>

namespace stagedtrain {

// Returns "2.711 ± 0.004", or only the number if the error is unknown (NaN, as from a single
// window).
inline std::string with_error(double value, double standard_error, int digits) {
  const std::string text = fmt::format("{:.{}f}", value, digits);
  if (!std::isfinite(standard_error)) return text;
  return text + fmt::format(" ± {:.{}f}", standard_error, digits);
}

}  // namespace stagedtrain
