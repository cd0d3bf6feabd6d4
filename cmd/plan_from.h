// `stagedtrain plan --from RUN`: the rest of a run that is under way.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::cmd {

struct FromArguments {
  std::string run;                 // its folder
  std::vector<std::string> edits;  // of its schedule, as --set
  bool json = false, print_schedule = false;
};

// What is printed.
std::string from_result(const FromArguments& arguments);

}  // namespace stagedtrain::cmd
