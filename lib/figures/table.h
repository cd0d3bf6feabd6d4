// What is a table, and how is it written as HTML or as text for a terminal?
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stagedtrain::report {

struct Column {
  std::string title;    // with its unit
  bool number = false;  // right-aligned
  bool prose = false;   // long text, which the page wraps
};
// Cells are plain text. Every row has one cell per column.
struct Table {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

// Escapes text for HTML, between tags and in quoted attributes. Control characters become spaces.
std::string escaped(std::string_view text);
// Makes text safe for a terminal: control characters become spaces.
std::string printable(std::string_view text);
// Returns a <table> with the title as its caption, or "" for a table without rows.
std::string to_html(const Table& table);
// Returns the header and one line per row, with two spaces between columns, or "" for a table
// without rows.
std::string to_text(const Table& table);

}  // namespace stagedtrain::report
