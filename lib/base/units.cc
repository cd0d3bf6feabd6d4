// Reading and writing durations.
#include "base/units.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace stagedtrain {
namespace {

constexpr std::pair<std::string_view, DurationUnit> kUnits[] = {
    {"steps", DurationUnit::steps},   {"step", DurationUnit::steps},
    {"tokens", DurationUnit::tokens}, {"flops", DurationUnit::flops},
    {"epochs", DurationUnit::epochs}, {"epoch", DurationUnit::epochs},
    {"token", DurationUnit::tokens},  {"flop", DurationUnit::flops},
    {"%", DurationUnit::percent}};

// A number and one letter, as people write a time: 90s, 30m, 2h, 1d. Nothing for anything else.
std::optional<Duration> parse_time(std::string_view text) {
  constexpr std::pair<char, double> kTimes[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
  for (const auto& [letter, seconds] : kTimes) {
    if (!text.ends_with(letter)) continue;
    const auto amount = parse_number(trim(text.substr(0, text.size() - 1)));
    if (amount && *amount >= 0) return Duration{*amount * seconds, DurationUnit::seconds};
  }
  return {};
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw usage_error("'{}' is not a duration{}", text, why)
      .with_hint("write 2100 steps, 10M tokens, 3e15 flops, 2 epochs, 20% or 30m");
}

}  // namespace

Duration parse_duration(std::string_view text) {
  const std::string_view whole = trim(text);
  if (whole == "auto") return {0, DurationUnit::automatic};
  if (const auto time = parse_time(whole)) return *time;
  std::size_t cut = whole.find_first_of(" \t%");
  if (cut == std::string_view::npos) cut = whole.size();
  const auto amount = parse_number(whole.substr(0, cut));
  if (!amount) refuse(text, ": expected a number first");
  if (*amount < 0) refuse(text, ": it is negative");
  const std::string unit = lower(trim(whole.substr(cut)));
  if (unit.empty()) return {*amount, DurationUnit::steps};
  for (const auto& [name, value] : kUnits)
    if (unit == name) return {*amount, value};
  refuse(text, ": unit" + suggestion(unit, {"steps", "tokens", "flops", "epochs", "%"}));
}

std::string to_string(const Duration& duration) {
  const std::string number = format_number(duration.amount);
  switch (duration.unit) {
    case DurationUnit::steps:
      return number + " steps";
    case DurationUnit::tokens:
      return number + " tokens";
    case DurationUnit::flops:
      return number + " flops";
    case DurationUnit::epochs:
      return number + " epochs";
    case DurationUnit::percent:
      return number + "%";
    case DurationUnit::seconds:
      return number + "s";
    case DurationUnit::automatic:
      return "auto";
  }
  return number;
}

}  // namespace stagedtrain
