// `stagedtrain plan`: what a schedule comes to, before anything runs.
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/plan_fit.h"
#include "cmd/plan_from.h"
#include "cmd/plan_measure.h"
#include "cmd/plan_probe.h"
#include "plan/optimize.h"
#include "plan/resolve_files.h"
#include "report/plan_page.h"

namespace stagedtrain::cmd {
namespace {

struct PlanArguments {
  std::string schedule;
  std::vector<std::string> edits;
  FitArguments fit;
  MeasureArguments measure;
  std::string from;
  std::int64_t probe = 0;
  bool json = false, print_schedule = false;
  bool optimize = false;
  std::string law = "chinchilla", transfer = "loss-state", tokens, mixing;
  std::int64_t stages = 2;
};

constexpr const char* kFooter = R"(
The table has a line for each stage: layers x width, parameters, FLOPs of a token, length, the
highest learning rate, memory while training and size of a checkpoint. K, M, G, T, P are powers of
1000. It works before there is data; only durations in epochs need the file data.train.

--optimize plans anew: of the schedule's stages only their tokens together count (or --tokens). The
final model from scratch would come to some loss with them; the plan comes to it at the least cost,
through sizes that the operators width and depth grow into it. What it saves depends on what a
grown model remembers, so the answer always names its assumption:
  loss-state  it stands where its own curve has the same loss: what is saved at least
  mixing      it soon stands where it would from scratch: at most; give --mixing if it is known
  rho=X       measured: it stands where it would after 1/X of the tokens before
Laws: chinchilla (Besiroglu's constants), hoffmann, kaplan.

--fit takes run folders (or run.jsonl) and CSV files instead of a schedule, and fits the laws that
tell how losses fall. A curve, or each stage of a run, becomes loss = E + B (x + x0)^-b, x in steps
at peak learning rate: warm-up, the decay and spikes are left out; it needs 30 logged steps and
three times the warm-up. Finished runs become Chinchilla's law. CSV columns: step, lr, loss (and
tokens), or parameters, loss, and tokens or training_flop. Intervals are of 80% of 400 bootstraps
of the noise alone; the refits to the first 50 and 70% say how far to trust a forecast.

--measure loads LibTorch and times real steps of every stage's model on this machine, on made-up
tokens, so it needs no data. The numbers go into a file of this user (--measurements), keyed by
model, batch, precision, device and threads; every run of train adds its own.

Where a stage says `for: auto` or `until: {slope: auto}`, the planner decides, and the output says
what it chose, why, and under which assumption; the schedule's key plan names law and assumption.

--from reads the log of a run that is under way, fits the curve of its present stage, says when to
grow, and chooses the lengths of what follows; `train --replan` goes on with them.

--probe writes schedules into --out: the first stage as planned, then K steps of the second at a
constant rate, once for each operator and option that makes the same model; and run.sh, which trains
them. The loss right after a growth tells little, that some hundred steps later a lot. The same
command, given again when the runs have ended, ranks them and plans with the best.

Examples:
  stagedtrain plan schedules/demo.yaml
  stagedtrain plan schedules/demo.yaml --set stages.full.for=1200 --set lr.peak=1e-3
  stagedtrain plan schedules/demo.yaml --json
  stagedtrain plan schedules/demo.yaml --print-schedule > complete.yaml
  stagedtrain plan schedules/demo.yaml --measure --threads 2
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --stages 3
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --transfer mixing --mixing 100M
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --print-schedule > planned.yaml
  stagedtrain plan --probe 200 schedules/demo.yaml --out probes/demo
  stagedtrain plan --from runs/first --print-schedule > rest.yaml
  stagedtrain plan --fit runs/first --out laws.json
  stagedtrain plan --fit curve.csv other.csv --json
  stagedtrain plan --fit finished.csv --drop-highest 5)";

double tokens_of(const std::string& option, const std::string& text) {
  const auto number = parse_number(text);
  if (!number || !(*number >= 1))
    throw usage_error("{} {}: expected tokens, as 2.5G", option, text);
  return *number;
}

plan::OptimizeOptions options_of(const PlanArguments& arguments) {
  plan::OptimizeOptions options;
  options.law = plan::find_planning_law(arguments.law);
  options.most_stages = arguments.stages;
  if (!arguments.tokens.empty()) options.end_tokens = tokens_of("--tokens", arguments.tokens);
  if (!arguments.mixing.empty()) options.mixing_tokens = tokens_of("--mixing", arguments.mixing);
  if (arguments.transfer == "mixing") {
    options.transfer = law::Assumption::mixing;
  } else if (arguments.transfer.starts_with("rho=")) {
    const auto rho = parse_number(arguments.transfer.substr(4));
    if (!rho || !(*rho > 0))
      throw usage_error("--transfer {}: expected a number above 0, as rho=1.4", arguments.transfer);
    options.transfer = law::Assumption::measured;
    options.rho = *rho;
  } else if (arguments.transfer != "loss-state") {
    throw usage_error("--transfer {}: expected loss-state, mixing or rho=X", arguments.transfer);
  }
  return options;
}

// Writes the page of --report, if it is asked for; text is what the terminal says.
void write_page(const PlanArguments& arguments, const plan::RunPlan& plan,
                const plan::Optimum* optimum, const std::string& text) {
  const std::string& page = arguments.fit.page;
  if (page.empty()) return;
  refuse_overwrite(page, arguments.fit.force);
  const report::PlanPicture picture = report::picture_of(
      plan, plan::find_planning_law(optimum ? arguments.law : plan.schedule.plan.law),
      plan::read_measurements(plan::measurements_file(arguments.measure.file)), optimum);
  write_file_atomically(page, report::plan_page(picture, text));
}

std::string optimized(const PlanArguments& arguments, const schedule::Schedule& schedule) {
  const plan::RunPlan asked = plan::resolve_files(schedule, arguments.measure.file);
  const plan::Optimum optimum = plan::optimize(asked.schedule, options_of(arguments), asked.facts);
  const plan::RunPlan plan = plan::resolve(optimum.schedule, asked.facts);
  write_page(arguments, plan, &optimum, plan::to_text(optimum));
  if (arguments.print_schedule) return plan::resolved_yaml(plan);
  return arguments.json ? plan::to_json(optimum).dump(2) + "\n" : plan::to_text(optimum);
}

std::string result_of(PlanArguments& arguments) {
  if (!arguments.fit.inputs.empty()) {
    arguments.fit.json = arguments.json;
    return fit_result(arguments.fit);
  }
  if (!arguments.from.empty())
    return from_result({arguments.from, arguments.edits, arguments.json, arguments.print_schedule});
  if ((arguments.probe > 0) != !arguments.fit.out.empty())
    throw usage_error("--out: goes with --fit and --probe, and --probe needs it")
        .with_hint("stagedtrain plan --probe 200 SCHEDULE --out DIR");
  if (arguments.schedule.empty())
    throw usage_error("SCHEDULE is missing").with_hint("stagedtrain plan --help");
  const schedule::Schedule schedule = schedule::load(arguments.schedule, arguments.edits);
  if (arguments.probe > 0)
    return probe_result(
        {arguments.probe, arguments.fit.out, arguments.json, arguments.print_schedule}, schedule);
  if (arguments.optimize) return optimized(arguments, schedule);
  const plan::RunPlan plan = plan::resolve_files(schedule, arguments.measure.file);
  if (arguments.measure.measure) return measure_result(arguments.measure, plan, arguments.json);
  if (arguments.print_schedule) return plan::resolved_yaml(plan);
  const std::vector<plan::RunPlan> scratch = plan::resolve_scratch(plan);
  write_page(arguments, plan, nullptr, plan::to_text(plan, scratch));
  return arguments.json ? plan::to_json(plan, scratch).dump(2) + "\n"
                        : plan::to_text(plan, scratch);
}

void add_optimize(CLI::App& command, PlanArguments& arguments) {
  CLI::Option* optimize = command.add_flag("--optimize", arguments.optimize,
                                           "choose the stages that come to the loss cheapest");
  const auto add = [&](const char* name, auto& value, const char* help, const char* type) {
    command.add_option(name, value, help)->needs(optimize)->type_name(type);
  };
  add("--law", arguments.law, "how losses fall: chinchilla, hoffmann or kaplan (chinchilla)",
      "LAW");
  add("--transfer", arguments.transfer, "loss-state, mixing or rho=X (loss-state)", "WHAT");
  add("--mixing", arguments.mixing, "tokens that a growth takes to mix", "TOKENS");
  add("--tokens", arguments.tokens, "length of the run from scratch (that of the schedule)",
      "TOKENS");
  command.add_option("--stages", arguments.stages, "at most so many stages (2)")
      ->needs(optimize)
      ->check(CLI::Range(1, 64))
      ->type_name("N");
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* command =
      app.add_subcommand("plan", "Says what a schedule comes to: models, steps, FLOPs, memory");
  command->add_option("schedule", arguments->schedule, "the schedule, a YAML file")
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
  add_optimize(*command, *arguments);
  CLI::Option* measure = add_measure_options(*command, arguments->measure);
  for (const char* other : {"--print-schedule", "--optimize"})
    measure->excludes(command->get_option(other));
  CLI::Option* probe =
      command
          ->add_option("--probe", arguments->probe,
                       "write short runs into --out, one for each way to make the first growth; "
                       "when they have ended, rank them by their loss after K steps and plan")
          ->check(CLI::Range(1, 1000000))
          ->type_name("K");
  for (const char* other : {"--optimize", "--measure"}) probe->excludes(command->get_option(other));
  CLI::Option* from =
      command
          ->add_option("--from", arguments->from,
                       "plan the rest of a run that is under way: when to grow, how long to go on")
          ->type_name("RUN");
  for (const char* other : {"schedule", "--optimize", "--measure", "--probe"})
    from->excludes(command->get_option(other));
  command
      ->add_option("--report", arguments->fit.page,
                   "write a page of plots: the plan, or with --fit the fits (needs gnuplot)")
      ->type_name("FILE.html");
  CLI::Option* fit = add_fit_options(*command, arguments->fit);
  for (const char* other :
       {"schedule", "--set", "--print-schedule", "--optimize", "--measure", "--from", "--probe"})
    fit->excludes(command->get_option(other));
  command->footer(kFooter);
  command->callback([arguments] { std::fputs(result_of(*arguments).c_str(), stdout); });
}

}  // namespace stagedtrain::cmd
