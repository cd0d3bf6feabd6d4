// Parses and formats durations.
#include "text/units.h"

#include <algorithm>
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

constexpr std::string_view kTimes = "dhms";
constexpr double kMostDays = 36500;  // longer times are typing errors

// Parses a time as people write it: 90s, 30m, 1.5 h, 3h30m, 1d12h. Each letter appears at most
// once, the larger unit first. Returns nothing for anything else.
std::optional<Duration> parse_time(std::string_view text) {
  constexpr double kSeconds[] = {86400, 3600, 60, 1};
  std::optional<Duration> time;
  for (std::size_t i = 0; i < kTimes.size(); ++i) {
    const std::size_t end = text.find(kTimes[i]);
    if (end == std::string_view::npos) continue;
    const auto amount = parse_number(trim(text.substr(0, end)));
    if (!amount || *amount < 0) return {};
    time = {(time ? time->amount : 0) + *amount * kSeconds[i], DurationUnit::seconds};
    text = trim(text.substr(end + 1));
  }
  return text.empty() ? time : std::nullopt;
}

// Says what is wrong with numbers and letters that are almost a time (3h30, 30m3h); "" for any
// other text.
std::string fault_of_time(std::string_view text) {
  std::optional<std::size_t> before;  // the place of the last letter in kTimes
  while (!text.empty()) {
    const std::size_t end = text.find_first_of(kTimes);
    const std::string_view number = trim(text.substr(0, end));
    if (!parse_number(number)) return "";
    if (end == std::string_view::npos) {
      if (!before) return "";
      return fmt::format(": found {0} without a unit, expected {0}{1}", number,
                         kTimes[std::min(*before + 1, kTimes.size() - 1)]);
    }
    const std::size_t letter = kTimes.find(text[end]);
    if (before && letter <= *before)
      return fmt::format(
          ": found {}{} after a number of {}, expected each unit once and the larger one first, as "
          "in 3h30m",
          number, kTimes[letter], kTimes[*before]);
    before = letter;
    text = trim(text.substr(end + 1));
  }
  return "";
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
  if (const auto time = parse_time(whole)) {
    if (time->amount > kMostDays * 86400)
      refuse(text, fmt::format(": expected at most {}d, a hundred years", kMostDays));
    return *time;
  }
  if (const std::string fault = fault_of_time(whole); !fault.empty()) refuse(text, fault);
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
