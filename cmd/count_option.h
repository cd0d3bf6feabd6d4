// Options that take a number within a range.
#pragma once

#include <CLI/CLI.hpp>
#include <concepts>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain::cmd {

// The largest seed: larger whole numbers are not exact as JSON numbers.
inline constexpr std::int64_t kMostSeed = std::int64_t{1} << 53;

// Adds an option for a count from `least` to `most`, such as 4096 or 64K, both of which Count can
// hold. value must outlive the parsing. CLI11's own types accept "-1" for unsigned numbers, and its
// range check accepts "nan".
template <std::integral Count>
void add_count(CLI::App& command, const std::string& name, const std::string& help,
               const char* type, std::int64_t least, std::int64_t most, Count& value) {
  const auto read = [name, least, most, &value](const std::string& text) {
    const auto count = parse_count(text);
    if (!count || *count < least || *count > most)
      throw usage_error("{}: found '{}', expected a whole number from {} to {}", name, text, least,
                        grouped(most));
    value = static_cast<Count>(*count);
  };
  command.add_option_function<std::string>(name, read, help)->type_name(type);
}

// Checks that an option is a number from `least` to `most`. CLI::Range accepts "nan".
inline auto number_within(double least, double most) {
  return [least, most](const std::string& text) -> std::string {
    const auto number = parse_number(text);
    if (number && *number >= least && *number <= most) return "";
    return fmt::format("found '{}', expected a number from {} to {}", text, format_number(least),
                       format_number(most));
  };
}

}  // namespace stagedtrain::cmd
