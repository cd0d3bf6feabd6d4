// Rows of cells as a table for people.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::plan {

// Columns as wide as their longest cell; the first `left` of them stand to the left. Every row has
// as many cells as the first.
std::string text_table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                       const std::string& indent);

}  // namespace stagedtrain::plan
