// Parses and formats durations.
#include "text/units.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/text.h"

namespace stagedtrain {
namespace {

constexpr std::pair<std::string_view, DurationUnit> kUnits[] = {
    {"steps", DurationUnit::steps},   {"step", DurationUnit::steps},
    {"tokens", DurationUnit::tokens}, {"flops", DurationUnit::flops},
    {"epochs", DurationUnit::epochs}, {"epoch", DurationUnit::epochs},
    {"token", DurationUnit::tokens},  {"flop", DurationUnit::flops},
    {"%", DurationUnit::percent}};

// Parses a time as people write it: 90s, 30m, 1.5 h, 3h30m, 1d12h. Each letter appears at most
// once, the larger unit first. Returns nothing for anything else.
std::optional<Duration> parse_time(std::string_view text) {
  constexpr std::pair<char, double> kTimes[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
  std::optional<Duration> time;
  for (const auto& [letter, seconds] : kTimes) {
    const std::size_t end = text.find(letter);
    if (end == std::string_view::npos) continue;
    const auto amount = parse_number(trim(text.substr(0, end)));
    if (!amount || *amount < 0) return {};
    time = {(time ? time->amount : 0) + *amount * seconds, DurationUnit::seconds};
    text = trim(text.substr(end + 1));
  }
  return text.empty() ? time : std::nullopt;
}

// Words that people write for a unit, and the unit that they mean.
constexpr std::pair<std::string_view, std::string_view> kMeant[] = {
    {"percent", "%"}, {"sec", "s"},   {"secs", "s"},  {"second", "s"}, {"seconds", "s"},
    {"min", "m"},     {"mins", "m"},  {"minute", "m"}, {"minutes", "m"}, {"hr", "h"},
    {"hrs", "h"},     {"hour", "h"},  {"hours", "h"}, {"day", "d"},    {"days", "d"},
    {"tok", " tokens"}, {"toks", " tokens"}, {"iters", " steps"}, {"iterations", " steps"},
    {"updates", " steps"}};

std::string what_was_meant(std::string_view number, const std::string& unit) {
  for (const auto& [name, meant] : kMeant)
    if (unit == name) return fmt::format("; did you mean '{}{}'?", number, meant);
  return suggestion(unit, {"steps", "tokens", "flops", "epochs", "%"});
}

bool has_suffix(std::string_view number) {
  return std::string_view("kKMGBTi").find(number.back()) != std::string_view::npos;
}

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw usage_error("'{}' is not a duration{}", text, why)
      .with_hint("write 2100 steps, 10M tokens, 3e15 flops, 2 epochs, 20%, 30m or 3h30m");
}

// Refuses "100steps", which lacks a space, and "1,000 steps" and "0,5 epochs", which have a comma.
[[noreturn]] void refuse_number(std::string_view whole, std::string_view text) {
  for (const auto& [unit, value] : kUnits) {
    if (!lower(whole).ends_with(unit)) continue;
    const std::string_view number = whole.substr(0, whole.size() - unit.size());
    if (parse_number(number)) refuse(text, fmt::format("; did you mean '{} {}'?", number, unit));
  }
  if (whole.substr(0, whole.find(' ')).find(',') != std::string_view::npos)
    refuse(text, ": it has a comma; write 1000 or 1_000, and a decimal point as in 0.5");
  refuse(text, ": expected a number first");
}

}  // namespace

Duration parse_duration(std::string_view text) {
  const std::string_view whole = trim(text);
  if (whole == "auto") return {0, DurationUnit::automatic};
  if (const auto time = parse_time(whole)) return *time;
  std::size_t cut = whole.find_first_of(" \t%");
  if (cut == std::string_view::npos) cut = whole.size();
  const auto amount = parse_number(whole.substr(0, cut));
  if (!amount) refuse_number(whole, text);
  if (*amount < 0) refuse(text, ": it is negative");
  const std::string unit = lower(trim(whole.substr(cut)));
  if (unit.empty() && has_suffix(whole))
    throw usage_error("found '{0}'; expected a unit, such as '{0} tokens' or '{0} steps'", whole);
  if (unit.empty()) return {*amount, DurationUnit::steps};
  for (const auto& [name, value] : kUnits)
    if (unit == name) return {*amount, value};
  refuse(text, ": unit '" + unit + "'" + what_was_meant(trim(whole.substr(0, cut)), unit));
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
