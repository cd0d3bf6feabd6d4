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
  std::string law, transfer, mixing;  // "": not given
  std::string tokens, loss, cost, unit = "flops";
  std::string most_tokens, most_time, shortest_stage;
  std::int64_t stages = 0;
  std::string slurm, slice;
};

// Adds the options and returns --optimize.
CLI::Option* add_choice_options(CLI::App& command, ChoiceArguments& arguments);

// Returns the schedule with --law, --transfer and --mixing, where given, in place of its own `plan`
// keys. So whatever is planned from it, lengths of `auto` included, is planned by the options.
schedule::Schedule with_plan_options(const ChoiceArguments& arguments, schedule::Schedule schedule);

// Each throws Error(usage) that names the option. The law is the schedule's.
plan::Transfer transfer_of(const ChoiceArguments& arguments);
plan::OptimizeOptions optimize_options(const ChoiceArguments& arguments,
                                       const schedule::Schedule& schedule);
plan::RuleOptions rule_options(const ChoiceArguments& arguments,
                               const schedule::Schedule& schedule);
plan::SlurmOptions slurm_options(const ChoiceArguments& arguments, bool force);

}  // namespace stagedtrain::cmd
