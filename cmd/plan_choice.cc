// Parses the options of `stagedtrain plan` into the planner's options.
#include "cmd/plan_choice.h"

#include "cmd/program_path.h"
#include "outcomes/caches.h"
#include "text/text.h"
#include "text/units.h"

namespace stagedtrain::cmd {
namespace {

double number_of(const char* option, const std::string& text, const char* expected) {
  const auto number = parse_number(text);
  if (!number || !(*number > 0)) throw usage_error("{} {}: expected {}", option, text, expected);
  return *number;
}

double tokens_of(const char* option, const std::string& text) {
  if (text.empty()) return 0;
  const double tokens = number_of(option, text, "tokens, such as 2.5G");
  if (tokens < 1) throw usage_error("{} {}: expected tokens, such as 2.5G", option, text);
  return tokens;
}

double seconds_of(const char* option, const std::string& text) {
  if (text.empty()) return 0;
  const auto not_a_time = [&](const std::string& what) {
    return usage_error("{}: {}", option, what).with_hint("write a time, such as 30m, 3h30m or 2d");
  };
  try {
    const Duration duration = parse_duration(text);
    if (duration.unit == DurationUnit::seconds && duration.amount > 0) return duration.amount;
  } catch (const Error& error) {
    throw not_a_time(error.what());
  }
  throw not_a_time(fmt::format("found '{}', expected a time", text));
}

plan::Goal goal_of(const ChoiceArguments& a) {
  using Kind = plan::Goal::Kind;
  if (!a.loss.empty())
    return {Kind::loss, number_of("--loss", a.loss, "nats per token, such as 2.9")};
  if (a.cost.empty()) return {Kind::tokens, tokens_of("--tokens", a.tokens)};
  if (a.unit == "seconds" && !parse_number(a.cost))
    return {Kind::cost, seconds_of("--cost", a.cost)};
  return {Kind::cost, number_of("--cost", a.cost, "a number in the unit of --unit, such as 1e20")};
}

plan::CostUnit unit_of(const ChoiceArguments& a) {
  if (a.unit == "flops") return plan::CostUnit::flops;
  if (a.unit == "seconds") return plan::CostUnit::seconds;
  if (a.unit == "money") return plan::CostUnit::money;
  throw usage_error("--unit {}: expected flops, seconds or money", a.unit);
}

void add_optimize_options(CLI::App& command, CLI::Option* optimize, ChoiceArguments& a) {
  const auto add = [&](const char* name, std::string& value, const char* help, const char* type) {
    return command.add_option(name, value, help)->needs(optimize)->type_name(type);
  };
  CLI::Option* tokens =
      add("--tokens", a.tokens,
          "goal: the loss of this many tokens from scratch (default: the schedule's)", "TOKENS");
  CLI::Option* loss = add("--loss", a.loss, "goal: this loss", "NATS");
  CLI::Option* cost =
      add("--cost", a.cost, "goal: the lowest loss for this cost: 1e20, 4h, 200", "COST");
  tokens->excludes(loss)->excludes(cost);
  loss->excludes(cost);
  add("--unit", a.unit, "unit of costs: flops, seconds or money (default: flops)", "UNIT");
  add("--most-tokens", a.most_tokens, "limit: tokens of all stages together", "TOKENS");
  add("--most-time", a.most_time, "limit: time of the whole run, such as 24h", "TIME");
  add("--shortest-stage", a.shortest_stage, "limit: the fewest tokens of a stage", "TOKENS");
}

}  // namespace

CLI::Option* add_choice_options(CLI::App& command, ChoiceArguments& a) {
  CLI::Option* optimize = command.add_flag("--optimize", a.optimize,
                                           "choose the stages that reach a loss at the least cost");
  command.add_option("--rule", a.rule, "stage lengths by a rule from the literature")
      ->type_name("NAME")
      ->excludes(optimize);
  command
      .add_option("--preset", a.preset,
                  "stages by a recipe from the literature: midas, gradual (stacking) or step")
      ->type_name("NAME")
      ->excludes(optimize);
  command
      .add_option(
          "--law", a.law,
          "how losses fall: chinchilla, hoffmann, kaplan, a file of --fit, or FILE,FILE of runs "
          "of different contexts (default: the schedule's plan.law, which is chinchilla if "
          "not given)")
      ->type_name("LAW");
  command.add_option("--transfer", a.transfer, "loss-state, mixing or rho=X (default: loss-state)")
      ->type_name("WHAT");
  command
      .add_option("--mixing", a.mixing,
                  "tokens until a grown model has caught up with one from scratch")
      ->type_name("TOKENS");
  command
      .add_option("--stages", a.stages,
                  "number of stages: at most, with --optimize (default: 2); exactly, with --rule "
                  "and --preset")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  add_optimize_options(command, optimize, a);
  CLI::Option* slurm =
      command
          .add_option("--slurm", a.slurm, "write the run into a folder, as a chain of batch jobs")
          ->type_name("DIR");
  command
      .add_option("--slice", a.slice,
                  "one job for each slice of time, such as 4h (default: one for each stage)")
      ->type_name("TIME")
      ->needs(slurm);
  return optimize;
}

schedule::Schedule with_plan_options(const ChoiceArguments& a, schedule::Schedule schedule) {
  const plan::Transfer transfer = transfer_of(a);
  if (!a.law.empty()) schedule.plan.law = a.law;
  if (!a.transfer.empty()) schedule.plan.transfer = a.transfer;
  if (!a.mixing.empty())
    schedule.plan.mixing = Duration{transfer.mixing_tokens, DurationUnit::tokens};
  return schedule;
}

plan::Transfer transfer_of(const ChoiceArguments& a) {
  plan::Transfer transfer =
      plan::read_transfer("--transfer", a.transfer.empty() ? "loss-state" : a.transfer);
  transfer.mixing_tokens = tokens_of("--mixing", a.mixing);
  return transfer;
}

plan::OptimizeOptions optimize_options(const ChoiceArguments& a,
                                       const schedule::Schedule& schedule) {
  plan::OptimizeOptions options;
  options.law = plan::scored_law(schedule.plan.law);
  options.transfer = transfer_of(a);
  options.goal = goal_of(a);
  options.unit = unit_of(a);
  if (a.stages) options.most_stages = a.stages;
  options.most_tokens = tokens_of("--most-tokens", a.most_tokens);
  options.most_seconds = seconds_of("--most-time", a.most_time);
  options.shortest_stage = tokens_of("--shortest-stage", a.shortest_stage);
  options.known = plan::known_measurements();
  return options;
}

plan::RuleOptions rule_options(const ChoiceArguments& a, const schedule::Schedule& schedule) {
  return {a.rule, a.stages, tokens_of("--mixing", a.mixing),
          plan::find_planning_law(schedule.plan.law)};
}

plan::SlurmOptions slurm_options(const ChoiceArguments& a, bool force) {
  return {.folder = a.slurm,
          .slice = seconds_of("--slice", a.slice),
          .force = force,
          .work_folder = std::filesystem::current_path(),
          .program = program_path()};
}

}  // namespace stagedtrain::cmd
