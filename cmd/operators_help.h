// The table of growth operators for people and machines, made from the operators' own fields.
#pragma once

#include <string>

namespace stagedtrain::cmd {

// Each operator: what grows, whether it is exact, its source, its options with their defaults.
std::string operators_table();
std::string operators_json();
// The end of `grow --help`.
std::string grow_footer();

}  // namespace stagedtrain::cmd
