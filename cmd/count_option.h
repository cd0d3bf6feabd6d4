// Options that take a whole number within a range.
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

}  // namespace stagedtrain::cmd
