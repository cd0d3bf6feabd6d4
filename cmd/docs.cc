// Implements `stagedtrain docs`, which prints generated material: pages of docs/, shell completion,
// manual pages and a JSON Schema.
#include <memory>

#include "cmd/commands.h"
#include "cmd/docs.h"
#include "cmd/output.h"
#include "data/formats.h"
#include "grow/operator.h"
#include "schedule/json_schema.h"
#include "schedule/schedule.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

constexpr const char* kRenew = "<!-- Made by scripts/make_docs.sh; do not edit. -->\n";

constexpr const char* kScheduleIntro = R"(
A schedule is one YAML file that describes an experiment; [schedules/](../schedules) has examples, and
`stagedtrain plan SCHEDULE` shows its models, steps, FLOPs and memory.

- Numbers may be written 1e6, 1_000_000, 64K, 50M, 2.5G, 1T (powers of 1000) or 4Ki, 1Mi (powers of 1024).
- Durations are a number and a unit: `2100 steps`, `10M tokens`, `3e15 flops`, `2 epochs`, `20%` (of
  the run's steps), `30m` or `3h30m` (of training time). A bare number means steps, unless it has a
  suffix: `10M` needs its unit. Each key says which units it takes. Tokens are those that the steps
  really have: each stage has its own context, and warm-ups of batch size and sequence length are
  taken into account.
- A path in `--set path=value` has dots between keys; an item of a list is given by its number from
  0 or by its name: `--set lr.peak=1e-3 --set stages.full.for=900 --set stages.1.grow.0.layers=12`.
- Paths of files are relative to the folder in which the command runs; a file that is not there is
  looked for from the folder of the schedule, then from those above it.
- Unknown keys are refused. The YAML must be one document of at most 1 MiB, 32 levels and 20,000
  values, without duplicate keys.
)";

// Escapes a table cell: a bar would end it, and a backslash must be doubled. code: the text is
// between backticks, where backslashes need no escape.
std::string cell(const std::string& text, bool code = false) {
  std::string result;
  for (char c : text) {
    if (c == '|' || (c == '\\' && !code)) result += '\\';
    result += c;
  }
  return result;
}

std::string field_table(const std::vector<FieldRow>& rows) {
  std::string text = "| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const FieldRow& row : rows)
    text += fmt::format("| `{}` | {} | {} | {} |\n", row.path, cell(row.type), cell(row.fallback),
                        cell(row.doc));
  return text;
}

std::string schedule_page() {
  std::string text = std::string(kRenew) + "# Schedule reference\n" + kScheduleIntro;
  text +=
      "\n## Keys\n`stages[]` stands for each item of the list. Of `model`, layers, width, "
      "heads and context\nmust be given; vocab comes from `data.train` if it is missing. A stage's "
      "`model` takes the same keys,\nnone of which it requires.\n\n";
  text += field_table(schedule::document());
  text += "\n## Learning-rate curves\n| `lr.curve` | shape |\n|---|---|\n";
  for (const schedule::LrCurve& curve : schedule::lr_curves())
    text += fmt::format("| `{}` | {} |\n", curve.name, curve.help);
  text +=
      "\n## Growth operators\n`stages[].grow` is a list of them, applied in order: "
      "`grow: [{operator: depth, layers: 6}]`.\n";
  for (const grow::OperatorEntry& entry : grow::operators())
    text += fmt::format("\n### {}\n{}. It {} {}; keeps the loss: {}. Source: {}.\n\n{}", entry.name,
                        entry.help, entry.effect, entry.grows, entry.exact, entry.source,
                        field_table(entry.document()));
  text += "\n## Token files\n| format | what it is |\n|---|---|\n";
  for (const data::TokenFormat& format : data::token_formats())
    text += fmt::format("| {} | {} |\n", format.name, format.help);
  return text;
}

std::string option_row(const CLI::Option& option) {
  std::string name = option.get_name();
  if (option.get_positional())
    name = option.get_type_name();
  else if (option.get_items_expected_max() > 0)
    name += " " + option.get_type_name();
  return fmt::format("| `{}` | {}{} |\n", cell(name, true), cell(option.get_description()),
                     option.get_required() ? " (required)" : "");
}

std::string command_section(const CLI::App& command) {
  std::string text = fmt::format("\n## stagedtrain {}\n{}.\n\n| option | meaning |\n|---|---|\n",
                                 command.get_name(), command.get_description());
  for (const CLI::Option* option : shown_options(command)) text += option_row(*option);
  return text + "\n```text" + command.get_footer() + "\n```\n";
}

std::string cli_page(const CLI::App& app) {
  std::string text = std::string(kRenew) + "# Command line\n" + app.get_description() +
                     "\n\n```text" + app.get_footer() + "\n```\n";
  for (const CLI::App* command : shown_commands(app)) text += command_section(*command);
  return text;
}

}  // namespace

std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_group().empty()) commands.push_back(command);
  return commands;
}

std::vector<const CLI::Option*> shown_options(const CLI::App& command) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : command.get_options())
    if (option != command.get_help_ptr() && !option->get_group().empty()) options.push_back(option);
  return options;
}

void add_docs(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "docs",
      "Prints what is generated from the program's own tables: pages, completion, a schema");
  command->group("");
  command->require_subcommand(1);
  command->add_subcommand("schedule", "docs/schedule-reference.md")->callback([] {
    print(schedule_page());
  });
  command->add_subcommand("cli", "docs/cli.md")->callback([&app] { print(cli_page(app)); });
  command->add_subcommand("schema", "the JSON Schema of a schedule, for editors")->callback([] {
    print(json_text(schedule::json_schema()) + "\n");
  });
  CLI::App* completion = command->add_subcommand("completion", "completion for a shell");
  completion->require_subcommand(1);
  for (const char* shell : {"bash", "zsh", "fish"})
    completion->add_subcommand(shell)->callback(
        [&app, shell] { print(completion_script(app, shell)); });
  auto page = std::make_shared<std::string>();
  CLI::App* manual =
      command->add_subcommand("man", "the manual page of stagedtrain, or of one of its commands");
  manual->add_option("command", *page)->type_name("COMMAND");
  manual->callback([&app, page] { print(manual_page(app, *page)); });
}

}  // namespace stagedtrain::cmd
