// Splits CSV text into lines and cells, and parses cells as numbers.
#include "fit/csv_table.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/signals.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

// Returns the cells of a line without surrounding spaces, or nothing if a quote is never closed.
std::optional<std::vector<std::string>> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::string cell;
  bool inside = false, was_quoted = false;
  const auto end_cell = [&] {
    cells.push_back(was_quoted ? cell : std::string(trim(cell)));
    cell.clear();
    was_quoted = false;
  };
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (inside && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cell += '"';
      ++i;
    } else if (inside && c == '"') {
      inside = false;
    } else if (inside) {
      cell += c;
    } else if (c == '"' && trim(cell).empty()) {
      inside = was_quoted = true;
      cell.clear();
    } else if (c == ',') {
      end_cell();
    } else if (!(was_quoted && (c == ' ' || c == '\t'))) {
      cell += c;
    }
  }
  if (inside) return std::nullopt;
  end_cell();
  return cells;
}

// Splits text into lines, which may end with LF, CRLF or CR alone. Drops a byte order mark.
std::vector<std::string> lines_of(const std::string& text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  std::string all = text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
  if (all.find('\n') == std::string::npos) std::ranges::replace(all, '\r', '\n');
  std::vector<std::string> lines = split(all, '\n');
  for (std::string& line : lines)
    if (line.ends_with('\r')) line.pop_back();
  return lines;
}

}  // namespace

CsvTable::CsvTable(const std::string& text, const std::string& name) : name_(name) {
  std::size_t number = 0;
  for (const std::string& line : lines_of(text)) {
    ++number;
    if (number % 1024 == 0) stop_point("reading a table");
    if (trim(line).empty()) continue;
    auto cells = cells_of(line);
    if (!cells)
      throw input_error("{}:{}: a quote is never closed in this line", name, number)
          .with_hint("a quoted cell must end on its own line");
    if (columns_.empty()) {
      for (const std::string& column : *cells) columns_.push_back(lower(trim(column)));
    } else if (cells->size() != columns_.size()) {
      throw input_error("{}:{}: found {} values, expected {} ({})", name, number, cells->size(),
                        columns_.size(), join(columns_, ", "));
    } else {
      rows_.push_back({number, std::move(*cells)});
    }
  }
}

std::optional<std::size_t> CsvTable::find(const std::string& column) const {
  const auto found = std::ranges::find(columns_, column);
  if (found == columns_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns_.begin());
}

std::string CsvTable::where(std::size_t row) const {
  return fmt::format("{}:{}", name_, rows_.at(row).line);
}

double CsvTable::number(std::size_t row, std::size_t column) const {
  const std::string_view cell = trim(rows_.at(row).cells.at(column));
  const auto value = parse_number(cell);
  if (!value || !std::isfinite(*value))
    throw input_error("{}: {} is '{}', expected a number", where(row), columns_[column], cell)
        .with_hint("end the file before this line, or remove the line if only it is bad");
  return *value;
}

}  // namespace stagedtrain::plan
