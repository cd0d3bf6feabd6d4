// The files that the inputs of `stagedtrain data` name: files, folders and patterns.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::data {

// A folder stands for all files in it and in its folders, but for hidden ones (their names begin
// with a dot); a name with *, ? or [ that is no file stands for all files that match. Both in the
// order of their names, byte by byte. "-" and names of files stay as they are. Throws Error(input)
// for a folder without files and a pattern that matches nothing.
std::vector<std::string> expand_inputs(const std::vector<std::string>& names);

}  // namespace stagedtrain::data
