// How are growth operators listed for users and programs? From the operators' own tables of fields.
#pragma once

#include <string>

namespace stagedtrain::cmd {

// Returns one line per operator: what it grows, whether it is exact, its source.
std::string operators_table();
// Returns one operator with its options and their defaults. Throws Error(usage) with the nearest
// name if there is no such operator.
std::string operator_text(const std::string& name);
// Returns all operators with their options.
std::string operators_json();
// Returns the footer of `grow --help`.
std::string grow_footer();

}  // namespace stagedtrain::cmd
