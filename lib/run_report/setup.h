// What do the runs of a report have in common, and which machine did they run on?
#pragma once

#include <string>
#include <vector>

#include "compare/comparison.h"

namespace stagedtrain::report {

struct Fact {
  std::string what, value;
};
// Returns model, data, tokenizer, batch, learning rate, optimizer, precision, seeds, machine, dates
// and version, as the logs record them. If runs differ, each value is followed by its runs.
std::vector<Fact> setup_facts(const Report& report);
// Returns the schedule's name if it is the same for all runs, otherwise "".
std::string schedule_name(const Report& report);
// Returns the facts as an HTML table with two columns. Long paths may break after a slash.
std::string setup_html(const std::vector<Fact>& facts);

}  // namespace stagedtrain::report
