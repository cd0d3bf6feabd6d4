// How are the options --optimize, --rule, --preset and --slurm of `stagedtrain plan` read?
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "jobs/slurm.h"
#include "lengths/rule_plan.h"
#include "optimize/optimize.h"

namespace stagedtrain::cmd {

// Options as typed; the functions below parse them.
struct ChoiceArguments {
  bool optimize = false;
  std::string rule, preset;
  std::string law;  // "": the schedule's
  std::string transfer = "loss-state", mixing;
  std::string tokens, loss, cost, unit = "flops";
  std::string most_tokens, most_time, shortest_stage;
  std::int64_t stages = 0;
  std::string slurm, slice;
};

// Adds the options and returns --optimize.
CLI::Option* add_choice_options(CLI::App& command, ChoiceArguments& arguments);

// Each throws Error(usage) that names the option.
plan::Transfer transfer_of(const ChoiceArguments& arguments);
plan::OptimizeOptions optimize_options(const ChoiceArguments& arguments,
                                       const schedule::Schedule& schedule);
plan::RuleOptions rule_options(const ChoiceArguments& arguments,
                               const schedule::Schedule& schedule);
// Returns the name of the law of --law, or the schedule's if that is not given.
std::string law_name(const ChoiceArguments& arguments, const schedule::Schedule& schedule);
plan::SlurmOptions slurm_options(const ChoiceArguments& arguments, bool force);

}  // namespace stagedtrain::cmd
