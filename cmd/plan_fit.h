// `stagedtrain plan --fit`: laws fitted to own logs.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace stagedtrain::cmd {

struct FitArguments {
  std::vector<std::string> inputs;  // run folders, run.jsonl and CSV files
  std::string out;                  // the law file, or empty
  double huber = 0;                 // 0: the law's own default
  std::size_t drop_highest = 0;
  std::string page;  // an HTML page, or empty
  bool force = false, json = false;
};

// Adds --fit, which it returns, and the options that need it.
CLI::Option* add_fit_options(CLI::App& command, FitArguments& arguments);

// What is printed. Writes the law file if there is a name for it.
std::string fit_result(const FitArguments& arguments);

}  // namespace stagedtrain::cmd
