// Writes tables as HTML and as text.
#include "figures/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace stagedtrain::report {
namespace {

// A table with at most this many columns fits on a phone.
constexpr std::size_t kNarrowColumns = 2;

// Returns the width on a terminal: one column per code point, which holds for all that a report
// prints.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& cell, std::size_t width, bool right) {
  const std::string text = printable(cell);
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return right ? space + text : text + space;
}

std::string line_of(const std::vector<std::string>& cells, const Table& table,
                    const std::vector<std::size_t>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i)
    line += (i ? "  " : "") + padded(cells[i], widths[i], table.columns[i].number);
  return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return result;
}

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c == 0xC2 && next >= 0x80 && next < 0xA0) {  // U+0080 to U+009F are control characters, too
      result += ' ';
      ++i;
    } else {
      result += c < 0x20 || c == 0x7f ? ' ' : text[i];
    }
  }
  return result;
}

std::string to_html(const Table& table) {
  if (table.rows.empty()) return "";
  const bool wide = table.columns.size() > kNarrowColumns;
  std::string html = fmt::format(
      "<div class=\"table{}\"><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
      "aria-label=\"{}\"><table>\n<caption>{}</caption>\n<thead><tr>",
      wide ? " wide-table" : "", escaped(table.title), escaped(table.title));
  const auto kind = [&](std::size_t i) {
    const Column& column = table.columns[i];
    return column.number ? " class=\"number\"" : column.prose ? " class=\"prose\"" : "";
  };
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    html += fmt::format("<th scope=\"col\"{}>{}</th>", kind(i), escaped(table.columns[i].title));
  html += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      html += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", escaped(row[i]))
                     : fmt::format("<td{}>{}</td>", kind(i), escaped(row[i]));
    html += "</tr>\n";
  }
  html += "</tbody></table></div>";
  if (wide) html += "<p class=\"hint\">← scroll sideways for all columns →</p>";
  return html + "</div>\n";
}

std::string to_text(const Table& table) {
  if (table.rows.empty()) return "";
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    titles.push_back(table.columns[i].title);
    widths.push_back(width_of(titles.back()));
    for (const std::vector<std::string>& row : table.rows)
      widths.back() = std::max(widths.back(), width_of(printable(row[i])));
  }
  std::string text = line_of(titles, table, widths);
  for (const std::vector<std::string>& row : table.rows) text += line_of(row, table, widths);
  return text;
}

}  // namespace stagedtrain::report
