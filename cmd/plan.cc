// `stagedtrain plan`: what a schedule comes to, before anything runs.
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cmd/commands.h"
#include "cmd/plan_choice.h"
#include "cmd/plan_fit.h"
#include "plan/resolve_files.h"

namespace stagedtrain::cmd {
namespace {

struct PlanArguments {
  std::string schedule;
  std::vector<std::string> edits;
  FitArguments fit;
  ChoiceArguments choice;
  bool json = false, print_schedule = false, force = false;
};

constexpr const char* kFooter = R"(
It works before there is data; only durations in epochs need the file data.train. K, M, G, T, P are
powers of 1000. Time is that of plan --measure, or FLOPs over what schedule.machine says; money is
time at machine.price_per_hour. Losses are a law's, under an assumption about growing:
  loss-state  a grown model stands where its own curve has the same loss: the least it saves
  mixing      it soon stands where it would from scratch: the most; give --mixing if it is known
  rho=X       measured: it stands where it would after 1/X of the tokens before
Laws: chinchilla (Besiroglu's constants), hoffmann, kaplan, or the file of plan --fit --out.

--optimize plans anew: of the schedule's stages only their tokens together count. The answer is the
cheapest way to a loss, through sizes that the operators width and depth grow into the final model:
to that of so many tokens from scratch (--tokens), to a given one (--loss), or to the least one that
a cost comes to (--cost). schedule.machine.memory and the limits below are kept, or refused.

--rule keeps the run's tokens and the schedule's stages, and sets their lengths: paper-depth,
paper-width (grow at a slope), g-stack, prop-1, prop-2, equal, one-jump. With --stages, or for a
schedule of one stage, the sizes are the rule's own. Outside its range a rule is refused.

--fit takes run folders (or run.jsonl) and CSV files instead of a schedule, and fits the laws that
tell how losses fall. A curve, or each stage of a run, becomes loss = E + B (x + x0)^-b, x in steps
at peak learning rate: warm-up, the decay and spikes are left out; it needs 30 logged steps and
three times the warm-up. Finished runs become Chinchilla's law. CSV columns: step, lr, loss (and
tokens), or parameters, loss, and tokens or training_flop. Intervals are of 80% of 400 bootstraps
of the noise alone; the refits to the first 50 and 70% say how far to trust a forecast.

--slurm writes schedule.yaml, a script for each job and submit.sh, which chains them (afterok). A
job is a stage, or a --slice of time; the same script starts and goes on. $STAGEDTRAIN may name the
program.

Examples:
  stagedtrain plan schedules/demo.yaml
  stagedtrain plan schedules/demo.yaml --set stages.full.for=1200 --set lr.peak=1e-3
  stagedtrain plan schedules/gpt2-124m.yaml --set machine.flops=312T --json
  stagedtrain plan schedules/demo.yaml --print-schedule > complete.yaml
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --stages 3
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --loss 3.3 --most-tokens 3G
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --transfer mixing --mixing 100M
  stagedtrain plan schedules/gpt2-124m.yaml --optimize --print-schedule > planned.yaml
  stagedtrain plan schedules/gpt2-124m.yaml --rule prop-1 --stages 4
  stagedtrain plan schedules/gpt2-124m.yaml --set machine.flops=312T --slurm jobs --slice 4h
  stagedtrain plan --fit runs/first --out laws.json
  stagedtrain plan --fit finished.csv --drop-highest 5)";

// A plan in the form that was asked for; text and json are of its makers.
template <class Text, class Make>
std::string printed(const PlanArguments& a, const plan::FullPlan& full, Text text, Make json) {
  if (!a.choice.slurm.empty()) return plan::write_slurm(full, slurm_options(a.choice, a.force));
  if (a.print_schedule) return plan::resolved_yaml(full.plan);
  return a.json ? json().dump(2) + "\n" : text();
}

std::string optimized(const PlanArguments& a, const schedule::Schedule& schedule) {
  const plan::DataFacts facts = plan::resolve_files(schedule).facts;
  const plan::Optimum optimum = plan::optimize(schedule, optimize_options(a.choice), facts);
  return printed(
      a, optimum.full, [&] { return plan::to_text(optimum); },
      [&] { return plan::to_json(optimum); });
}

std::string full_plan(const PlanArguments& a, const schedule::Schedule& schedule,
                      const std::optional<plan::RulePlan>& rule) {
  const plan::FullPlan full = plan::make_full_plan(
      plan::resolve_files(schedule), plan::find_planning_law(a.choice.law), transfer_of(a.choice),
      plan::read_measurements(plan::measurements_file("")));
  return printed(
      a, full, [&] { return (rule ? plan::to_text(*rule) : std::string()) + plan::to_text(full); },
      [&] {
        Json json = plan::to_json(full);
        if (rule) json["rule"] = plan::to_json(*rule);
        return json;
      });
}

std::string result_of(PlanArguments& a) {
  a.fit.json = a.json;
  a.fit.force = a.force;
  if (!a.fit.inputs.empty()) return fit_result(a.fit);
  if (a.schedule.empty())
    throw usage_error("SCHEDULE is missing").with_hint("stagedtrain plan --help");
  const schedule::Schedule schedule = schedule::load(a.schedule, a.edits);
  if (a.choice.optimize) return optimized(a, schedule);
  if (a.choice.rule.empty()) return full_plan(a, schedule, std::nullopt);
  const plan::DataFacts facts = plan::resolve_files(schedule).facts;
  const plan::RulePlan rule = plan::plan_by_rule(schedule, rule_options(a.choice), facts);
  return full_plan(a, rule.schedule, rule);
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
  command->add_flag("--force", arguments->force, "replace the files of --out or --slurm");
  add_choice_options(*command, arguments->choice);
  CLI::Option* fit = add_fit_options(*command, arguments->fit);
  for (const char* other :
       {"schedule", "--set", "--print-schedule", "--optimize", "--rule", "--slurm"})
    fit->excludes(command->get_option(other));
  command->footer(kFooter);
  command->callback([arguments] { std::fputs(result_of(*arguments).c_str(), stdout); });
}

}  // namespace stagedtrain::cmd
