// What the runs of a report had in common, and on what they ran.
#pragma once

#include <string>
#include <vector>

#include "report/comparison.h"

namespace stagedtrain::report {

struct Fact {
  std::string what, value;
};
// Model, data, tokenizer, batch, learning rate, optimizer, seeds, machine, dates and version, as
// the logs record them. Where runs differ, each value names its runs.
std::vector<Fact> setup_facts(const Report& report);
// The schedule's name if all runs have the same, else "".
std::string schedule_name(const Report& report);
// The facts as an HTML table of two columns; long paths may break after a slash.
std::string setup_html(const std::vector<Fact>& facts);

}  // namespace stagedtrain::report
