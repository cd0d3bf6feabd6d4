// How does `stagedtrain plan --from RUN` plan the rest of a run that is in progress?
#pragma once

#include <string>
#include <vector>

#include "cmd/plan_choice.h"

namespace stagedtrain::cmd {

struct FromArguments {
  std::string run;                 // the run folder
  std::vector<std::string> edits;  // edits of its schedule, as in --set
  ChoiceArguments choice;          // --law, --transfer and --mixing
  bool json = false, print_schedule = false;
};

// Returns what is printed.
std::string from_result(const FromArguments& arguments);

}  // namespace stagedtrain::cmd
