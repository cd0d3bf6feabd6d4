// CSV files as spreadsheets and loggers write them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace stagedtrain::plan {

// A table under a header. Cells stay text: only columns that are used must hold numbers.
//
// Accepted: a byte order mark, line ends of any system, cells in double quotes (which may hold
// commas and doubled quotes, but no line end), spaces around cells, empty lines. Column names are
// compared without regard to case.
class CsvTable {
 public:
  // name: of the file, in messages. Throws Error(input) with file:line for a row that has another
  // number of cells than the header, and for a quote that is never closed.
  CsvTable(const std::string& text, const std::string& name);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& columns() const { return columns_; }  // in lower case
  std::optional<std::size_t> find(const std::string& column) const;
  bool has(const std::string& column) const { return find(column).has_value(); }
  std::size_t size() const { return rows_.size(); }
  std::string where(std::size_t row) const;  // "file:line"
  // Throws Error(input) with the line for a cell that is no finite number.
  double number(std::size_t row, std::size_t column) const;

 private:
  struct Row {
    std::size_t line;
    std::vector<std::string> cells;
  };
  std::string name_;
  std::vector<std::string> columns_;
  std::vector<Row> rows_;
};

}  // namespace stagedtrain::plan
