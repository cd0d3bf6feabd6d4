// `stagedtrain plan --fit`: laws fitted to own logs.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::cmd {

struct FitArguments {
  std::vector<std::string> inputs;  // run folders, run.jsonl and CSV files
  std::string out;                  // the law file, or empty
  double huber = 0;                 // 0: the law's own default
  std::size_t drop_highest = 0;
  bool force = false, json = false;
};

// What is printed. Writes the law file if there is a name for it.
std::string fit_result(const FitArguments& arguments);

}  // namespace stagedtrain::cmd
