// Numbers as a document writes them: a value is equal to one if it rounds to the digits written.
#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <string>

namespace stagedtrain::test {

struct Written {
  std::string text;
  double value = 0, unit = 1;  // of the last digit

  friend bool operator==(double value, const Written& w) {
    return std::fabs(value - w.value) <= 0.500001 * w.unit;
  }
  friend std::ostream& operator<<(std::ostream& out, const Written& w) { return out << w.text; }
};

// "2.49", "-.0517", "3.74e9"
inline Written written(const std::string& text) {
  const std::size_t exponent = std::min(text.find('e'), text.size());
  const std::size_t point = std::min(text.find('.'), exponent);
  const auto decimals = static_cast<double>(exponent - std::min(point + 1, exponent));
  const double power = exponent < text.size() ? std::stod(text.substr(exponent + 1)) : 0;
  return {text, std::stod(text), std::pow(10, power - decimals)};
}

inline Written operator""_digits(const char* text, std::size_t) { return written(text); }

}  // namespace stagedtrain::test
