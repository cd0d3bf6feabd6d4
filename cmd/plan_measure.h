// How does `stagedtrain plan --measure` measure what every stage costs on this machine?
#pragma once

#include <CLI/CLI.hpp>

#include "engine/engine.h"
#include "plan/run_plan.h"

namespace stagedtrain::cmd {

struct MeasureArguments {
  bool measure = false;
  std::string file;  // file of measurements; empty: the user's own
  train::MeasureRequest request;
};

// Adds --measure, the options that need it, and --measurements, which goes with any plan. Returns
// --measure.
CLI::Option* add_measure_options(CLI::App& command, MeasureArguments& arguments);

// Measures, stores the measurements, and returns what is printed. Progress goes to stderr.
std::string measure_result(const MeasureArguments& arguments, const plan::RunPlan& plan, bool json);

}  // namespace stagedtrain::cmd
