// `stagedtrain plan --score`: how well earlier runs were foretold.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "plan/scores.h"
#include "report/comparison.h"

namespace stagedtrain::cmd {

struct ScoreArguments {
  std::vector<std::string> runs;  // scored besides the history, and not kept
  const CLI::Option* option = nullptr;
  bool asked() const { return option && option->count() > 0; }
};

// Adds --score, which it returns.
CLI::Option* add_score_options(CLI::App& command, ScoreArguments& arguments);

// What is printed.
std::string score_result(const ScoreArguments& arguments, bool json);

// Of every run of a report that was foretold, with the savings that the report measured.
std::vector<plan::ScoredRun> scores_of(const report::Report& report);

}  // namespace stagedtrain::cmd
