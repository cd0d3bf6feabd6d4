// `stagedtrain plan`: what a schedule comes to, before anything runs.
#include <cstdio>
#include <memory>

#include "cmd/commands.h"
#include "plan/resolve_files.h"

namespace stagedtrain::cmd {
namespace {

struct PlanArguments {
  std::string schedule;
  std::vector<std::string> edits;
  bool json = false, print_schedule = false;
};

constexpr const char* kFooter = R"(
The table has a line for each stage: layers x width, parameters, FLOPs of a token, length, the
highest learning rate, memory while training and size of a checkpoint. K, M, G, T, P are powers of
1000. It works before there is data; only durations in epochs need the file data.train.

Examples:
  stagedtrain plan schedules/demo.yaml
  stagedtrain plan schedules/demo.yaml --set stages.full.for=1200 --set lr.peak=1e-3
  stagedtrain plan schedules/demo.yaml --json
  stagedtrain plan schedules/demo.yaml --print-schedule > complete.yaml)";

std::string result_of(const PlanArguments& arguments) {
  const plan::RunPlan plan =
      plan::resolve_files(schedule::load(arguments.schedule, arguments.edits));
  if (arguments.print_schedule) return plan::resolved_yaml(plan);
  const std::vector<plan::RunPlan> scratch = plan::resolve_scratch(plan);
  return arguments.json ? plan::to_json(plan, scratch).dump(2) + "\n"
                        : plan::to_text(plan, scratch);
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* command =
      app.add_subcommand("plan", "Says what a schedule comes to: models, steps, FLOPs, memory");
  command->add_option("schedule", arguments->schedule, "the schedule, a YAML file")
      ->required()
      ->type_name("SCHEDULE");
  command
      ->add_option("--set", arguments->edits,
                   "changes a value first, as lr.peak=1e-3 or stages.full.for=900; repeatable")
      ->type_name("PATH=VALUE")
      ->expected(1)
      ->take_all();
  CLI::Option* json = command->add_flag("--json", arguments->json, "print all numbers as JSON");
  command
      ->add_flag("--print-schedule", arguments->print_schedule,
                 "print the schedule with every default written out, ready to run")
      ->excludes(json);
  command->footer(kFooter);
  command->callback([arguments] { std::fputs(result_of(*arguments).c_str(), stdout); });
}

}  // namespace stagedtrain::cmd
