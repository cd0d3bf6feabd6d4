// `stagedtrain plan`: what a schedule comes to, before anything runs.
#include <cstdio>
#include <memory>

#include "cmd/commands.h"
#include "cmd/plan_fit.h"
#include "plan/resolve_files.h"

namespace stagedtrain::cmd {
namespace {

struct PlanArguments {
  std::string schedule;
  std::vector<std::string> edits;
  FitArguments fit;
  bool json = false, print_schedule = false;
};

constexpr const char* kFooter = R"(
The table has a line for each stage: layers x width, parameters, FLOPs of a token, length, the
highest learning rate, memory while training and size of a checkpoint. K, M, G, T, P are powers of
1000. It works before there is data; only durations in epochs need the file data.train.

--fit takes run folders (or run.jsonl) and CSV files instead of a schedule, and fits the laws that
tell how losses fall. A curve, or each stage of a run, becomes loss = E + B (x + x0)^-b, x in steps
at peak learning rate: warm-up, the decay and spikes are left out; it needs 30 logged steps and
three times the warm-up. Finished runs become Chinchilla's law. CSV columns: step, lr, loss (and
tokens), or parameters, loss, and tokens or training_flop. Intervals are of 80% of 400 bootstraps
of the noise alone; the refits to the first 50 and 70% say how far to trust a forecast.

Examples:
  stagedtrain plan schedules/demo.yaml
  stagedtrain plan schedules/demo.yaml --set stages.full.for=1200 --set lr.peak=1e-3
  stagedtrain plan schedules/demo.yaml --json
  stagedtrain plan schedules/demo.yaml --print-schedule > complete.yaml
  stagedtrain plan --fit runs/first --out laws.json
  stagedtrain plan --fit curve.csv other.csv --json
  stagedtrain plan --fit finished.csv --drop-highest 5)";

std::string result_of(PlanArguments& arguments) {
  if (!arguments.fit.inputs.empty()) {
    arguments.fit.json = arguments.json;
    return fit_result(arguments.fit);
  }
  if (arguments.schedule.empty())
    throw usage_error("SCHEDULE is missing").with_hint("stagedtrain plan --help");
  const plan::RunPlan plan =
      plan::resolve_files(schedule::load(arguments.schedule, arguments.edits));
  if (arguments.print_schedule) return plan::resolved_yaml(plan);
  const std::vector<plan::RunPlan> scratch = plan::resolve_scratch(plan);
  return arguments.json ? plan::to_json(plan, scratch).dump(2) + "\n"
                        : plan::to_text(plan, scratch);
}

void add_fit_options(CLI::App& command, PlanArguments& arguments, CLI::Option& schedule) {
  CLI::Option* fit = command
                         .add_option("--fit", arguments.fit.inputs,
                                     "fit laws to these run folders, run.jsonl and CSV files")
                         ->type_name("RUN|FILE.csv")
                         ->excludes(&schedule);
  command.add_option("--out", arguments.fit.out, "the file for the laws, which later plans read")
      ->type_name("FILE.json")
      ->needs(fit);
  command.add_flag("--force", arguments.fit.force, "replace the file of --out")->needs(fit);
  command
      .add_option("--huber", arguments.fit.huber,
                  "relative misfit beyond which a point counts less (default: 0.001, for curves at "
                  "least twice their noise)")
      ->type_name("X")
      ->check(CLI::Range(1e-6, 1.0))
      ->needs(fit);
  command
      .add_option("--drop-highest", arguments.fit.drop_highest,
                  "leave out so many finished runs of the highest losses (default: 0)")
      ->type_name("N")
      ->needs(fit);
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* command =
      app.add_subcommand("plan", "Says what a schedule comes to: models, steps, FLOPs, memory");
  CLI::Option* schedule =
      command->add_option("schedule", arguments->schedule, "the schedule, a YAML file")
          ->type_name("SCHEDULE");
  command
      ->add_option("--set", arguments->edits,
                   "changes a value first, as lr.peak=1e-3 or stages.full.for=900; repeatable")
      ->type_name("PATH=VALUE")
      ->expected(1)
      ->take_all();
  CLI::Option* json = command->add_flag("--json", arguments->json, "print all numbers as JSON");
  CLI::Option* print =
      command
          ->add_flag("--print-schedule", arguments->print_schedule,
                     "print the schedule with every default written out, ready to run")
          ->excludes(json);
  add_fit_options(*command, *arguments, *schedule);
  print->excludes("--fit");
  command->footer(kFooter);
  command->callback([arguments] { std::fputs(result_of(*arguments).c_str(), stdout); });
}

}  // namespace stagedtrain::cmd
