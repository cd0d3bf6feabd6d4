// Reads CSV files as spreadsheets and loggers write them.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace stagedtrain::plan {

// A table with a header line. Cells are kept as text, so only columns that are used must be
// numbers.
//
// Accepted: a byte order mark, line ends of any system, cells in double quotes (which may hold
// commas and doubled quotes, but no line end), spaces around cells, empty lines. Column names are
// compared without regard to case.
class CsvTable {
 public:
  // `name` is the file's name in messages. Throws Error(input) with file:line for a row whose
  // number of cells differs from the header's, and for a quote that is never closed.
  CsvTable(const std::string& text, const std::string& name);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& columns() const { return columns_; }  // in lower case
  std::optional<std::size_t> find(const std::string& column) const;
  bool has(const std::string& column) const { return find(column).has_value(); }
  std::size_t size() const { return rows_.size(); }
  std::string where(std::size_t row) const;  // "file:line"
  // Throws Error(input) with file:line if the cell is not a finite number.
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
