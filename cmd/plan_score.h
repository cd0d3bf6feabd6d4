// How well were earlier runs predicted? The command `stagedtrain plan --score`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "compare/comparison.h"
#include "outcomes/scores.h"

namespace stagedtrain::cmd {

struct ScoreArguments {
  bool asked = false;
  std::vector<std::string> runs;  // scored in addition to the stored ones, but not stored
};

// Adds --score and returns it.
CLI::Option* add_score_options(CLI::App& command, ScoreArguments& arguments);

// Returns the text or JSON to print.
std::string score_result(const ScoreArguments& arguments, bool json);

// Returns the score of each run of the report that has a prediction, with its measured saving.
std::vector<plan::ScoredRun> scores_of(const report::Report& report);

}  // namespace stagedtrain::cmd
