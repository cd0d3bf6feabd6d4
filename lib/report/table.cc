// Tables as HTML and as text.
#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace stagedtrain::report {
namespace {

// Places on a terminal: one for each code point, which is true of all that the report writes.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
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
        result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return result;
}

std::string to_html(const Table& table) {
  if (table.rows.empty()) return "";
  std::string html = fmt::format(
      "<div class=\"scroll\"><table>\n<caption>{}</caption>\n<thead><tr>", escaped(table.title));
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
  return html + "</tbody></table></div>\n";
}

std::string to_text(const Table& table) {
  if (table.rows.empty()) return "";
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    titles.push_back(table.columns[i].title);
    widths.push_back(width_of(titles.back()));
    for (const std::vector<std::string>& row : table.rows)
      widths.back() = std::max(widths.back(), width_of(row[i]));
  }
  std::string text = line_of(titles, table, widths);
  for (const std::vector<std::string>& row : table.rows) text += line_of(row, table, widths);
  return text;
}

}  // namespace stagedtrain::report
