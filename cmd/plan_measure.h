// `stagedtrain plan --measure`: what every stage costs on this machine.
#pragma once

#include <CLI/CLI.hpp>

#include "plan/run_plan.h"
#include "train/engine.h"

namespace stagedtrain::cmd {

struct MeasureArguments {
  bool measure = false;
  std::string file;  // of measurements; empty: the user's own
  train::MeasureRequest request;
};

// Adds --measure, which it returns, and the options that need it; --measurements, which any plan
// may have.
CLI::Option* add_measure_options(CLI::App& command, MeasureArguments& arguments);

// Measures, stores, and returns what is printed. Progress goes to stderr.
std::string measure_result(const MeasureArguments& arguments, const plan::RunPlan& plan, bool json);

}  // namespace stagedtrain::cmd
