// How are tables, warnings and long lines printed?
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::plan {

// Returns the text with control characters, such as the line feed of a file name, as spaces.
std::string one_line(std::string text);

// Returns a table whose columns are as wide as their longest cell. The first `left` columns are
// aligned to the left, the others to the right. Each cell is printed as one_line(). Requires a row,
// and as many cells in every row as in the first.
std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                       const std::string& indent);

// Returns a rounded number: "1,234" for 1234.4, and "?" for 1e18 or more and for NaN.
std::string grouped_number(double value);

// Wraps text at 100 columns; all lines but the first are indented.
std::string wrapped(const std::string& words);
// Returns "\nwarning: ...\n", wrapped.
std::string warning_text(const std::string& warning);

}  // namespace stagedtrain::plan
