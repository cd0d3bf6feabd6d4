// Reading and writing durations.
#include "base/units.h"

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

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw usage_error("'{}' is not a duration{}", text, why)
      .with_hint("write 2100 steps, 10M tokens, 3e15 flops, 2 epochs or 20%");
}

}  // namespace

Duration parse_duration(std::string_view text) {
  const std::string_view whole = trim(text);
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
  }
  return number;
}

}  // namespace stagedtrain
