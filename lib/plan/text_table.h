// Rows of cells as a table for people, and warnings in lines.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::plan {

// Columns as wide as their longest cell; the first `left` of them stand to the left. Every row has
// as many cells as the first.
std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                       const std::string& indent);

// A number from a fit, rounded: 1234.4 -> "1,234"; "?" for what no count can be.
std::string grouped_number(double value);

// The words in lines of at most 100 columns, all but the first indented.
std::string wrapped(const std::string& words);
// "\nwarning: ...\n", wrapped.
std::string warning_text(const std::string& warning);

}  // namespace stagedtrain::plan
