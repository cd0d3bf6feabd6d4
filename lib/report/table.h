// A table as data, written as HTML or as lines of a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stagedtrain::report {

struct Column {
  std::string title;    // with its unit
  bool number = false;  // aligned to the right
  bool prose = false;   // long text, which the page breaks into lines
};
// Cells are plain text; every row has as many as there are columns.
struct Table {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

// Text made safe for HTML, between tags and in quoted attributes; control characters become spaces.
std::string escaped(std::string_view text);
// Text made safe for a terminal: control characters become spaces.
std::string printable(std::string_view text);
// <table>, with the title as its caption. "" for a table without rows.
std::string to_html(const Table& table);
// The header and a line for each row, columns two spaces apart. "" for a table without rows.
std::string to_text(const Table& table);

}  // namespace stagedtrain::report
