// Guesses what was meant from schedule keys, the command's options and their nearest words.
#include "cmd/mistakes.h"

#include <algorithm>
#include <string_view>

#include "cmd/docs.h"
#include "grow/operator.h"
#include "io/file.h"
#include "schedule/schedule.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : shown_commands(app)) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

// Maps options of other programs to schedule keys.
constexpr std::pair<const char*, const char*> kKeys[] = {
    {"lr", "lr.peak"},           {"learning_rate", "lr.peak"},  {"max_lr", "lr.peak"},
    {"batch", "batch.sequences"}, {"batch_size", "batch.sequences"}, {"bs", "batch.sequences"},
    {"micro_batch_size", "batch.micro"}, {"weight_decay", "optimizer.weight_decay"},
    {"wd", "optimizer.weight_decay"}, {"layers", "model.layers"}, {"width", "model.width"},
    {"context", "model.context"}, {"steps", "stages.NAME.for"}, {"max_steps", "stages.NAME.for"},
    {"epochs", "stages.NAME.for"}, {"eval_every", "evaluate.every"},
    {"save_every", "checkpoint.every"}, {"warmup", "lr.warmup"}, {"data", "data.train"},
    {"bf16", "precision"},       {"dtype", "precision"}};

// Returns the schedule key that an option's name equals or resembles, or "".
std::string schedule_key(std::string name) {
  std::ranges::replace(name, '-', '_');
  for (const auto& [other, key] : kKeys)
    if (name == other) return key;
  const std::vector<FieldRow> rows = schedule::document();
  for (const FieldRow& row : rows)
    if (row.path == name || (name.find('.') == std::string::npos &&
                             row.path.ends_with("." + name) && row.path.find("[]") == std::string::npos))
      return row.path;
  return name.starts_with("stages.") ? name : "";
}

// Whether --set is an option of the command that would be accepted: `grow` has it for --schedule
// alone.
bool accepts_set(const CLI::App& command) {
  const CLI::Option* schedule = command.get_option_no_throw("--schedule");
  return command.get_option_no_throw("--set") && (!schedule || schedule->count() > 0);
}

bool is_operator(const std::string& name) {
  return std::ranges::any_of(grow::operators(), [&](const auto& one) { return one.name == name; });
}

Error unknown_option(const std::string& text, const std::string& value, const CLI::App& command) {
  const std::size_t equals = text.find('=');
  const std::string option = text.substr(0, equals), name = option.substr(2);
  const std::string given = equals == std::string::npos ? value : text.substr(equals + 1);
  const std::vector<std::string> known = option_names(command);
  const Error unknown = usage_error("{}: unknown option '{}'", command.get_name(), option);
  if (name == "resume" && command.get_name() == "train")
    return unknown.with_hint("train resumes by itself: run the same command with the same --out");
  if (command.get_name() == "grow" && is_operator(name))
    return unknown.with_hint(fmt::format(
        "that is an operator; write --operator {0}, whose options stagedtrain grow --list "
        "--operator {0} prints",
        name));
  if (accepts_set(command)) {
    const std::string key = schedule_key(name);
    const std::string wanted = given.empty() || given.starts_with('-') ? "VALUE" : given;
    if (name.ends_with("epochs") && !key.empty())
      return unknown.with_hint(fmt::format(
          "that is a key of the schedule; write --set '{}={} epochs'", key, wanted));
    if (!key.empty())
      return unknown.with_hint(
          fmt::format("that is a key of the schedule; write --set {}={}", key, wanted));
  }
  return usage_error("{}: unknown option '{}'{}", command.get_name(), option,
                     nearest_word(option, known) ? suggestion(option, known) : "")
      .with_hint(fmt::format("stagedtrain {} --help lists its options", command.get_name()));
}

Error unexpected(const std::vector<std::string>& words, const CLI::App& command) {
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i].starts_with("--") && words[i].size() > 2)
      return unknown_option(words[i], i + 1 < words.size() ? words[i + 1] : "", command);
  return usage_error("{}: unexpected argument '{}'", command.get_name(), words.front())
      .with_hint(fmt::format("stagedtrain {} --help shows its arguments", command.get_name()));
}

}  // namespace

void check_command(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> names = command_names(app);
  if (argc < 2)
    throw usage_error("found no command; expected one of {}", join(names, ", "))
        .with_hint("stagedtrain --help says what each does");
  const std::string word = argv[1];
  if (word.starts_with('-')) return;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (command->get_name() == word) return;
  if (word.ends_with(".yaml") || word.ends_with(".yml"))
    throw usage_error("found '{}'; expected a command before it", word)
        .with_hint(fmt::format("write stagedtrain plan {0}, or stagedtrain train {0} --out RUN",
                               word));
  throw usage_error("unknown command '{}'{}", word, suggestion(word, names))
      .with_hint("stagedtrain --help lists the commands");
}

void check_set(int argc, char** argv) {
  for (int i = 2; i + 2 < argc; ++i) {
    const std::string_view option = argv[i], edit = argv[i + 1], next = argv[i + 2];
    if (option == "--") return;
    if (option != "--set" || edit.find('=') != std::string_view::npos || next.starts_with("--"))
      continue;
    // The function that applies edits reports these with a better message.
    if (edit.find_first_of(" :") != std::string_view::npos) continue;
    throw usage_error("--set {}: expected path=value", edit)
        .with_hint(fmt::format("write --set {}={}, without a space", edit, next));
  }
}

void check_empty(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i], before = argv[i - 1];
    const bool assigned = word.starts_with("--") && word.find('=') == word.size() - 1;
    const std::string_view option = assigned ? word.substr(0, word.size() - 1) : before;
    if (word == "--") return;
    if ((!word.empty() && !assigned) || option == "--prompt") continue;
    throw usage_error("{}: found an empty text",
                      option.starts_with("--") ? option : std::string_view("the command line"))
        .with_hint("give a value; perhaps a shell variable in it is not set");
  }
}

Error usage_of(const CLI::ParseError& error, const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::vector<std::string> words = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) && !words.empty())
    return unexpected(words, command);
  return usage_error("{}", error.what())
      .with_hint(chosen.empty() ? "stagedtrain --help"
                                : fmt::format("stagedtrain {} --help", command.get_name()));
}

}  // namespace stagedtrain::cmd
