// How does `stagedtrain plan --fit` fit scaling laws to the user's own logs?
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace stagedtrain::cmd {

struct FitArguments {
  std::vector<std::string> inputs;  // run folders, run.jsonl and CSV files
  std::string out;                  // the law file; empty: none
  double huber = 0;                 // 0: the default of the law
  std::size_t drop_highest = 0;
  std::string page;  // an HTML page; empty: none
  bool force = false, json = false;
};

// Adds --fit and the options that need it, and returns --fit.
CLI::Option* add_fit_options(CLI::App& command, FitArguments& arguments);

// Returns what is printed. Writes the law file and the page if they are named.
std::string fit_result(const FitArguments& arguments);

}  // namespace stagedtrain::cmd
