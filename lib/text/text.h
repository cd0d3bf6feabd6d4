// Reads and formats words and numbers as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stagedtrain {

// Returns the candidate that the writer most probably meant, if one is near enough (edit distance).
std::optional<std::string> nearest_word(std::string_view word,
                                        const std::vector<std::string>& candidates);
// Returns "; did you mean 'x'?" or, without a near candidate, "; expected one of a, b, c".
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string lower(std::string_view text);

// Parses a number as people write it: 1e6, 1_000_000, 64K, 50M, 2.5G, 1T, 4Ki, 1Mi. K, M, G (or B)
// and T are powers of 1000; Ki, Mi and Gi are powers of 1024. Returns nothing for anything else
// (010 and 0x10 included).
std::optional<double> parse_number(std::string_view text);
// Does the same for whole numbers of at most 2^53.
std::optional<std::int64_t> parse_count(std::string_view text);

// Returns the shortest text that reads back as the same number: 3e-3 as 0.003, whole numbers
// without a point.
std::string format_number(double value);
// 1234567 -> "1.23M". Counts below 10,000 are written in full.
std::string short_count(double value);
// 1234567 -> "1,234,567".
std::string grouped(std::int64_t value);
// Makes text safe for terminals: control characters other than newlines and tabs, and bytes that
// are not UTF-8, become \x1b and the like. File names, tensor names and metadata may hold any
// bytes, and terminals interpret some of them.
std::string for_terminal(std::string_view text);
// Breaks text at spaces into lines of at most `width` bytes, each except the first preceded by
// `indent`. Ends with a newline.
std::string wrapped(std::string_view text, std::size_t width = 100, std::string_view indent = "");
// 1536 -> "1.5 KiB".
std::string short_bytes(double bytes);
// 3723 -> "1h02m"; 75 -> "1m15s"; 3.2 -> "3.2s".
std::string short_seconds(double seconds);

}  // namespace stagedtrain
