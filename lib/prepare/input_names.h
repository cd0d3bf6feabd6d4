// Which files do the inputs of `stagedtrain data` stand for? Each is a file, a folder or a pattern.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::data {

// Expands folders and patterns. A folder stands for all files below it, except hidden files and
// folders, whose names begin with a dot. A name that contains *, ? or [ and does not exist stands
// for all files that match it. Each expansion is sorted by name, byte by byte. "-" and names of
// files stay as they are. Throws Error(input) for a folder without files and for a pattern without
// matches.
std::vector<std::string> expand_inputs(const std::vector<std::string>& names);

}  // namespace stagedtrain::data
