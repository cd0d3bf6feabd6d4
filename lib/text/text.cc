// Finds nearest words, parses numbers, and formats numbers and text.
#include "text/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace stagedtrain {
namespace {

// Returns the optimal string alignment distance of two short words. A swap of neighbours counts
// once.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

struct Suffix {
  std::string_view name;
  double factor;
};
constexpr Suffix kSuffixes[] = {{"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0},
                                {"K", 1e3},     {"k", 1e3},        {"M", 1e6},
                                {"G", 1e9},     {"B", 1e9},        {"T", 1e12}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Parses digits with an optional sign, point, exponent and single underscores between digits.
std::optional<double> parse_plain(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '_') {
      if (i == 0 || i + 1 == text.size() || !is_digit(text[i - 1]) || !is_digit(text[i + 1]))
        return {};
    } else if (is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-') {
      digits += c;
    } else {
      return {};
    }
  }
  const std::size_t first = digits.find_first_not_of("+-");
  if (first == std::string::npos || first > 1) return {};
  if (!is_digit(digits[first]) && digits[first] != '.') return {};
  if (digits[first] == '0' && first + 1 < digits.size() && is_digit(digits[first + 1])) return {};
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace

std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& candidates) {
  if (word.size() > 64) return {};
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  // Case is ignored, so that GPT2 suggests gpt2.
  const std::string wanted = lower(word);
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(wanted, lower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  if (auto near = nearest_word(word, candidates)) return fmt::format("; did you mean '{}'?", *near);
  return candidates.empty() ? "" : "; expected one of " + join(candidates, ", ");
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  return fmt::format("{}", fmt::join(parts, separator));
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::optional<double> parse_number(std::string_view text) {
  for (const Suffix& suffix : kSuffixes) {
    if (text.size() <= suffix.name.size() || !text.ends_with(suffix.name)) continue;
    auto value = parse_plain(text.substr(0, text.size() - suffix.name.size()));
    if (value) *value *= suffix.factor;
    return value;
  }
  return parse_plain(text);
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  const auto value = parse_number(text);
  if (!value || std::abs(*value) > 9007199254740992.0) return {};
  const double whole = std::round(*value);
  if (std::abs(whole - *value) > 1e-9 * std::abs(*value)) return {};
  return static_cast<std::int64_t>(whole);
}

std::string format_number(double value) { return fmt::format("{}", value); }

std::string short_count(double value) {
  if (std::abs(value) < 1e4) return fmt::format("{:.0f}", value);
  for (auto [factor, unit] : {std::pair{1e24, "Y"},
                              {1e21, "Z"},
                              {1e18, "E"},
                              {1e15, "P"},
                              {1e12, "T"},
                              {1e9, "G"},
                              {1e6, "M"}})
    if (std::abs(value) >= 0.9995 * factor) return fmt::format("{:.3g}{}", value / factor, unit);
  return fmt::format("{:.3g}K", value / 1e3);
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::int64_t start = digits[0] == '-' ? 1 : 0;
  for (std::int64_t i = static_cast<std::int64_t>(digits.size()) - 3; i > start; i -= 3)
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  return digits;
}

namespace {

// Returns the size in bytes of the UTF-8 character at the beginning of text, or 0 if there is none
// that may be printed.
std::size_t printable_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return first == '\n' || first == '\t' || (first >= 0x20 && first != 0x7f);
  const std::size_t size = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first >= 0xf5 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned char second = byte(1);
  const bool is_control = first == 0xc2 && second < 0xa0;
  const bool is_too_long = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool is_beyond = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return is_control || is_too_long || is_beyond ? 0 : size;
}

}  // namespace

std::string for_terminal(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t size = printable_bytes(text);
    if (size == 0) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    result += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return result;
}

std::string wrapped(std::string_view text, std::size_t width, std::string_view indent) {
  std::string result, line;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      result += line + "\n";
      line = indent;
    } else if (!line.empty()) {
      line += ' ';
    }
    line += word;
    at = end + 1;
  }
  return result + line + "\n";
}

std::string short_bytes(double bytes) {
  for (auto [factor, unit] : {std::pair{1099511627776.0, "TiB"},
                              {1073741824.0, "GiB"},
                              {1048576.0, "MiB"},
                              {1024.0, "KiB"}})
    if (bytes >= factor) return fmt::format("{:.1f} {}", bytes / factor, unit);
  return fmt::format("{:.0f} B", bytes);
}

std::string short_seconds(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<std::int64_t>(std::round(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole % 86400 / 3600);
}

}  // namespace stagedtrain
