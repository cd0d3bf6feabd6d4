// Implements `stagedtrain plan`: what a schedule amounts to, before anything runs.
#include <memory>

#include "cmd/commands.h"
#include "cmd/foreign_from.h"
#include "cmd/output.h"
#include "cmd/plan_choice.h"
#include "cmd/plan_fit.h"
#include "cmd/plan_from.h"
#include "cmd/plan_measure.h"
#include "cmd/plan_score.h"
#include "cmd/plan_trials.h"
#include "forecast/answer.h"
#include "lengths/presets.h"
#include "lengths/resolve_files.h"
#include "outcomes/caches.h"
#include "plan_report/plan_page.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

struct PlanArguments {
  std::vector<std::string> paths;  // one schedule, or with --score any number of runs
  std::vector<std::string> edits;
  FitArguments fit;
  MeasureArguments measure;
  ChoiceArguments choice;
  std::string from;
  std::int64_t trial_steps = 0, ways = 8, train_last = 0;
  std::int64_t processes = 0;  // 0: as many as the machine has devices
  std::string sharding = "none";
  ScoreArguments score;
  bool json = false, print_schedule = false, force = false, details = false;
};

constexpr const char* kPlanFooter = R"(
The answer comes first: what to do, what it saves, what it costs, and the most important warning;
--details prints the rest. A saving is a share of what it costs to train the final model from
scratch to the same loss. A plan needs neither a GPU nor data; only durations in epochs need the
file data.train. Times are those that plan --measure found, or FLOPs divided by machine.flops of the
schedule; money is time multiplied by machine.price_per_hour. K, M, G, T, P are powers of 1000.

Losses are predicted by a scaling law and by an assumption about the grown model:
  loss-state  the grown model continues where its own curve has the same loss. This is called the
              floor, but is not a bound: of six measured runs, five saved slightly less
  mixing      it soon catches up with a run from scratch: the ceiling; --mixing says how soon
  rho=X       it continues as if after 1/X of the tokens that the smaller model has seen, where
              `stagedtrain report` has measured X
A slope is d ln loss / d ln tokens. An 80% interval of a fit is meant to contain the outcome of 8 in
10 runs. Laws: chinchilla (Besiroglu's constants), hoffmann, kaplan, or a file of plan --fit --out.

--optimize chooses new stages; of the schedule's own stages only the sum of their tokens matters.
It finds the cheapest way to a loss, through sizes that the operators width and depth grow into the
final model: to the loss that a number of tokens reach from scratch (--tokens), to a given loss
(--loss), or to the lowest loss for a cost (--cost). Given laws of several contexts (--law
short.json,long.json, each fitted to runs of one context) it also chooses the context of each
stage. Sizes that need more than machine.memory are left out. The plan keeps the limits below; if
no plan can, the command says so and fails.

--rule keeps the run's tokens and the schedule's stages, and sets their lengths: paper-depth,
paper-width (grow at a slope), g-stack, prop-1, prop-2, equal, one-jump. With --stages, or for a
schedule of one stage, the sizes are the rule's own. Outside its range a rule is refused.

--preset keeps the run's tokens and final model, and writes its stages: the first has one block of
layers, and each further stage one block more; --stages in all (4). midas copies the middle block,
with lengths by prop-1; gradual copies the last block, with equal lengths; --rule sets others. step
trains the new layers of each stage and adapters of the old ones, in 2 or 3 stages (2) of the depths
that need the least memory.

--fit takes run folders (or run.jsonl) and CSV files instead of a schedule, and fits scaling laws to
their losses. Each curve, or stage of a run, gets a law loss = E + B (x + x0)^-b, where x is steps
at the peak learning rate; warm-up, decay and spikes are left out, and it needs 30 logged steps and
three times the warm-up. Runs of two or more sizes get one law for all sizes, and six or more
finished runs get Chinchilla's law. CSV columns: step, lr, loss (and tokens, parameters), or
parameters, loss, and tokens or training_flop; other columns are ignored. The intervals of a curve
hold 80% of 400 bootstraps of its noise alone; its refits to the first 50% and 70% show how far to
trust a forecast.

--measure loads LibTorch and times real steps of every stage's model on this machine, on made-up
tokens, so it needs no data. The numbers are kept in a file (--measurements) for later plans, by
model, batch, precision, device and threads; every run of train adds its own.

Where a stage says `for: auto` or `until: {slope: auto}`, the planner decides, and the output says
what it chose, why, and under which assumption. Law and assumption are those of --law, --transfer
and --mixing, or else of `plan` in the schedule.

--from reads the log of a run that is under way, fits the curve of its present stage, says when to
grow, and chooses the lengths of the later stages; `train --replan` continues with them.

--trial-steps writes schedules of short trial runs into --out: the first stage as planned, then K
steps of the second at a constant rate, once for each way to grow into the same model: the
schedule's own, the other operators, then other options, --ways in all; and run.sh, which trains
them. The loss right after a growth predicts little; the loss some hundred steps later predicts
much. The same command, given again after the runs have ended, ranks them and plans with the best.

--trial-steps K --train-last Z tries --ways learning rates instead: the schedule's own, half and
twice that, and so on, in runs of K steps of the final model from scratch in which only the last Z
layers, the final norm and the head are trained (train_last in docs/policies.md). They rank the
rates at a fraction of the cost of full runs, whose best rate may differ a little.

--processes N plans for N processes, as on machine.nodes x machine.devices: memory of each, what it
sends in a step, and, if the time of one process (--measure or machine.flops) and the bandwidths
are known, how long a step takes, tokens/s, and the efficiency against one process. It compares the
shardings and names the fastest that fits in machine.memory (docs/cluster.md).

--score prints how well earlier runs were predicted: predicted against measured loss, saving and
time. train writes the prediction of a run into the run's log; the end of the run, and report
--store-outcomes with runs from scratch, add its score to ~/.cache/stagedtrain/scores.json. Runs
that are named are scored too, but not stored. "inside" says whether the measurement lies in the
interval that was printed before the run; z is the error in standard deviations of the fit's own
interval, before it was widened. Once three predictions with an interval have been scored, the
intervals of later plans are multiplied by the root mean square of z, but never narrowed.

--slurm writes schedule.yaml, a script for each job and submit.sh, which chains them (afterok). A
job is a stage, or a --slice of time; the same script starts and continues it. Jobs request the
nodes and tasks of --processes (or machine.nodes x machine.devices), the planned time, and the
measured number of CPUs, if they are known, and call this program by its path; $STAGEDTRAIN names
another one. A job of several tasks starts a rank for each by srun, with --sharding. Jobs that are
interrupted, or that lose a rank after a while, return to the queue and continue (docs/cluster.md).

Examples:
  stagedtrain plan schedules/demo.yaml
  stagedtrain plan schedules/demo.yaml --set stages.full.for=1200 --set lr.peak=1e-3
  stagedtrain plan schedules/gpt2-124m.yaml --set machine.flops=312T --json
  stagedtrain plan schedules/demo.yaml --print-schedule > complete.yaml
  stagedtrain plan schedules/demo.yaml --measure --threads 2
  stagedtrain plan schedules/gpt2-124m.yaml --set batch.micro=8 --processes 8 --sharding optimizer
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --stages 3
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --loss 3.3 --most-tokens 3G
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --transfer mixing --mixing 100M
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --print-schedule > planned.yaml
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --report plan.html
  stagedtrain plan run.yaml --optimize --law context-64.json,context-128.json
  stagedtrain plan --trial-steps 200 schedules/demo.yaml --out trials/demo
  stagedtrain plan --trial-steps 500 --train-last 2 schedules/demo.yaml --out trials/rates
  stagedtrain plan --from runs/first --print-schedule > rest.yaml
  stagedtrain plan schedules/gpt2-124m.yaml --rule prop-1 --stages 4
  stagedtrain plan schedules/gpt2-124m.yaml --preset midas --print-schedule > midas.yaml
  stagedtrain plan schedules/gpt2-124m.yaml --set machine.flops=312T --slurm jobs --slice 4h
  stagedtrain plan schedules/gpt2-124m.yaml --set 'machine={devices: 8, nodes: 2}' --slurm jobs
  stagedtrain plan --score
  stagedtrain plan --score --json runs/first
  stagedtrain plan --fit runs/first --out laws.json
  stagedtrain plan --fit finished.csv --drop-highest 5)";

// Returns a plan in the requested form. text() and json() produce the two common forms.
template <class Text, class Make>
std::string printed(const PlanArguments& a, const plan::FullPlan& full, Text text, Make json) {
  if (!a.choice.slurm.empty()) return plan::write_slurm(full, slurm_options(a.choice, a.force));
  if (a.print_schedule) return plan::resolved_yaml(full.plan);
  return a.json ? json_text(json()) + "\n" : text();
}

plan::Measurements measured(const PlanArguments& a) {
  return plan::known_measurements(a.measure.file);
}

// Writes the page of --report, if requested. `text` is the terminal's output.
void write_page(const PlanArguments& a, const plan::FullPlan& full, const plan::Optimum* optimum,
                const std::string& text) {
  if (a.fit.page.empty()) return;
  refuse_overwrite(a.fit.page, a.force);
  const plan::PlanningLaw law =
      optimum ? optimum->law : plan::scored_law(full.plan.schedule.plan.law);
  const report::PlanPicture picture = report::picture_of(full, law, optimum);
  write_file_atomically(a.fit.page, report::plan_page(picture, text),
                        a.force ? Replace::yes : Replace::no);
}

std::string optimized(const PlanArguments& a, const schedule::Schedule& schedule) {
  const plan::RunPlan asked = plan::resolve_files(schedule, a.measure.file);
  const plan::Optimum optimum =
      plan::optimize(asked.schedule, optimize_options(a.choice, asked.schedule), asked.facts);
  const std::string details =
      plan::answer_text(optimum.full, optimum.warnings) + "\n" + plan::to_text(optimum);
  write_page(a, optimum.full, &optimum, details);
  return printed(
      a, optimum.full, [&] { return a.details ? details : plan::short_text(optimum); },
      [&] { return plan::to_json(optimum); });
}

std::string full_plan(const PlanArguments& a, const plan::RunPlan& plan,
                      const std::optional<plan::RulePlan>& rule) {
  const std::int64_t count =
      a.processes > 0 ? a.processes : plan::processes_of(plan.schedule.machine);
  const plan::Processes processes = {count, plan::sharding_named(a.sharding)};
  plan::refuse_sharding(plan, processes.sharding);
  const plan::FullPlan full = plan::make_full_plan(plan, plan::scored_law(plan.schedule.plan.law),
                                                   transfer_of(a.choice), measured(a), processes);
  const std::vector<std::string> warnings = rule ? rule->warnings : std::vector<std::string>();
  const std::string ruled = rule ? "\n" + plan::to_text(*rule) : "";
  const std::string details =
      plan::answer_text(full, warnings) + ruled + "\n" + plan::to_text(full);
  write_page(a, full, nullptr, details);
  return printed(
      a, full, [&] { return a.details ? details : plan::short_text(full, warnings, ruled); },
      [&] {
        Json json = plan::to_json(full);
        if (rule) json["rule"] = plan::to_json(*rule);
        return json;
      });
}

// Plans from a schedule.
std::string from_schedule(const PlanArguments& a) {
  const schedule::Schedule schedule =
      with_plan_options(a.choice, schedule::load(a.paths.front(), a.edits));
  refuse_foreign_from(schedule);
  if (a.trial_steps > 0)
    return trial_result({a.trial_steps, a.ways, a.train_last, a.fit.out, a.json, a.print_schedule},
                        schedule);
  if (a.choice.optimize) return optimized(a, schedule);
  const plan::RunPlan plan = plan::resolve_files(schedule, a.measure.file);
  if (a.measure.measure) return measure_result(a.measure, plan, a.json);
  if (a.choice.rule.empty() && a.choice.preset.empty()) return full_plan(a, plan, std::nullopt);
  const plan::RuleOptions options = rule_options(a.choice, plan.schedule);
  const plan::RulePlan rule =
      a.choice.preset.empty()
          ? plan::plan_by_rule(plan.schedule, options, plan.facts)
          : plan::plan_by_preset(plan.schedule, plan::find_preset(a.choice.preset), options,
                                 plan.facts);
  return full_plan(a, plan::resolve_files(rule.schedule), rule);
}

std::string result_of(PlanArguments& a) {
  a.fit.json = a.json;
  a.fit.force = a.force;
  if (!a.fit.inputs.empty()) return fit_result(a.fit);
  a.score.runs = a.paths;
  if (a.score.asked) return score_result(a.score, a.json);
  if (!a.from.empty()) return from_result({a.from, a.edits, a.choice, a.json, a.print_schedule});
  if (a.trial_steps > 0 && a.fit.out.empty())
    throw usage_error("--trial-steps needs --out, a folder for the trial runs")
        .with_hint("stagedtrain plan --trial-steps 200 SCHEDULE --out DIR");
  if (a.trial_steps == 0 && !a.fit.out.empty())
    throw usage_error("--out goes with --fit or --trial-steps");
  if (a.paths.empty())
    throw usage_error("SCHEDULE is missing").with_hint("stagedtrain plan --help");
  if (a.paths.size() > 1)
    throw usage_error("found {} schedules ({}), expected one", a.paths.size(), join(a.paths, ", "))
        .with_hint("several paths go with --score and --fit");
  return from_schedule(a);
}

// Adds --processes and --sharding.
void add_processes(CLI::App& command, PlanArguments& arguments) {
  CLI::Option* processes =
      command
          .add_option("--processes", arguments.processes,
                      "plan for this many processes, which share the batch (default: machine.nodes "
                      "x machine.devices)")
          ->check(CLI::Range(1, 1 << 16))
          ->type_name("N");
  CLI::Option* sharding =
      command
          .add_option("--sharding", arguments.sharding,
                      "what several processes divide besides the batch: none, optimizer or full, "
                      "as in train (default: none)")
          ->check(CLI::IsMember({"none", "optimizer", "full"}))
          ->type_name("KIND");
  for (const char* other : {"--optimize", "--measure"})
    for (CLI::Option* option : {processes, sharding}) option->excludes(command.get_option(other));
}

// Adds --trial-steps and --from, with their options.
void add_trials(CLI::App& command, PlanArguments& arguments) {
  CLI::Option* trials =
      command
          .add_option("--trial-steps", arguments.trial_steps,
                      "write short runs into --out, one for each way to make the first growth; "
                      "when they have ended, rank them by their loss after K steps and plan")
          ->check(CLI::Range(1, 1000000))
          ->type_name("K");
  for (const char* other :
       {"--optimize", "--rule", "--preset", "--slurm", "--measure", "--processes", "--sharding"})
    trials->excludes(command.get_option(other));
  command
      .add_option("--ways", arguments.ways,
                  "with --trial-steps: how many ways to grow are tried, the most different first "
                  "(default: 8); with --train-last: how many learning rates")
      ->check(CLI::Range(1, 1000))
      ->type_name("N")
      ->needs(trials);
  command
      .add_option("--train-last", arguments.train_last,
                  "with --trial-steps: try learning rates instead, in runs of the final model from "
                  "scratch that train its last Z layers only")
      ->check(CLI::Range(1, 65536))
      ->type_name("Z")
      ->needs(trials);
  CLI::Option* from =
      command
          .add_option(
              "--from", arguments.from,
              "plan the rest of a run that is under way: when to grow, and the later lengths")
          ->type_name("RUN");
  for (const char* other : {"schedule", "--optimize", "--rule", "--preset", "--slurm", "--measure",
                            "--trial-steps", "--processes", "--sharding", "--details"})
    from->excludes(command.get_option(other));
}

}  // namespace

void add_plan(CLI::App& app) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* command =
      app.add_subcommand("plan", "Predicts what a schedule costs and saves, before anything runs");
  command
      ->add_option("schedule", arguments->paths,
                   "the schedule, a YAML file; with --score the run folders to score")
      ->type_name("SCHEDULE|RUN");
  command
      ->add_option("--set", arguments->edits,
                   "change a value first, such as lr.peak=1e-3 or stages.full.for=900; repeatable")
      ->type_name("PATH=VALUE")
      ->expected(1)
      ->take_all();
  CLI::Option* json = command->add_flag("--json", arguments->json, "print all numbers as JSON");
  command
      ->add_flag("--print-schedule", arguments->print_schedule,
                 "print the schedule with every default written out, ready to run")
      ->excludes(json);
  CLI::Option* details = command->add_flag(
      "--details", arguments->details,
      "print everything: costs in four ways of counting, memory, learning rate, assumptions");
  details->excludes(json);
  command->add_flag("--force", arguments->force, "replace the files of --out, --report or --slurm");
  command
      ->add_option("--report", arguments->fit.page,
                   "write a page of plots: the plan, or with --fit the fits (needs gnuplot)")
      ->type_name("FILE.html");
  add_choice_options(*command, arguments->choice);
  CLI::Option* measure = add_measure_options(*command, arguments->measure);
  for (const char* other :
       {"--print-schedule", "--optimize", "--rule", "--preset", "--slurm", "--details"})
    measure->excludes(command->get_option(other));
  add_processes(*command, *arguments);
  add_trials(*command, *arguments);
  CLI::Option* fit = add_fit_options(*command, arguments->fit);
  for (const char* other :
       {"schedule", "--set", "--print-schedule", "--optimize", "--rule", "--preset", "--slurm",
        "--measure", "--from", "--trial-steps", "--processes", "--sharding", "--details"})
    fit->excludes(command->get_option(other));
  CLI::Option* score = add_score_options(*command, arguments->score);
  for (const char* other : {"--set", "--print-schedule", "--optimize", "--rule", "--slurm",
                            "--measure", "--from", "--trial-steps", "--fit", "--details"})
    score->excludes(command->get_option(other));
  command->footer(kPlanFooter);
  command->callback([arguments] { print(result_of(*arguments)); });
}

}  // namespace stagedtrain::cmd
