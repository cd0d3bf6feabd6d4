// A Duration is an amount of training: a number and a unit, converted to steps when the plan is
// made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace stagedtrain {

enum class DurationUnit { steps, tokens, flops, epochs, percent, seconds, automatic };

// An amount of training as written in a schedule: "2100 steps", "10M tokens", "3e15 flops", "2
// epochs", "20%" (of the whole run), "30m" (of training time: s, m, h, d), "auto" (the planner
// chooses). A bare number is steps. 10M alone is refused, because it nearly always means tokens.
struct Duration {
  double amount = 0;
  DurationUnit unit = DurationUnit::steps;
  bool operator==(const Duration&) const = default;
};

// Throws Error(usage) that names the text and the accepted forms. The caller adds the location.
Duration parse_duration(std::string_view text);
std::string to_string(const Duration& duration);

}  // namespace stagedtrain
