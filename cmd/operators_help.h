// The table of growth operators for people and machines, made from the operators' own fields.
#pragma once

#include <string>

namespace stagedtrain::cmd {

// A line for each operator: what grows, whether it is exact, its source.
std::string operators_table();
// One operator, its options with their defaults. Throws Error(usage) with the nearest name.
std::string operator_text(const std::string& name);
// All operators with their options.
std::string operators_json();
// The end of `grow --help`.
std::string grow_footer();

}  // namespace stagedtrain::cmd
