// Formats tables with two spaces between columns and none at the ends of lines.
#include "text/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/text.h"

namespace stagedtrain::plan {

std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                       const std::string& indent) {
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? "" : "  ";
      line += i < left ? fmt::format("{:<{}}", one_line(row[i]), widths[i])
                       : fmt::format("{:>{}}", one_line(row[i]), widths[i]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string wrapped(const std::string& words) { return stagedtrain::wrapped(words, 100, "  "); }

std::string warning_text(const std::string& warning) {
  return "\n" + wrapped("warning: " + warning);
}

std::string grouped_number(double value) {
  return std::abs(value) < 1e18 ? grouped(std::llround(value)) : "?";
}

}  // namespace stagedtrain::plan
