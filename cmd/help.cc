// Implements `stagedtrain help WORD`: explains a schedule key, a growth operator or a command.
#include <algorithm>
#include <cctype>
#include <memory>

#include "cmd/commands.h"
#include "cmd/docs.h"
#include "cmd/operators_help.h"
#include "cmd/output.h"
#include "grow/operator.h"
#include "schedule/schedule.h"
#include "text/text.h"

namespace stagedtrain::cmd {
namespace {

// Returns a path without list brackets: stages[].for becomes stages.for.
std::string plain_path(const std::string& path) {
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i)
    if (path.compare(i, 2, "[]") == 0) {
      ++i;
    } else {
      plain += path[i];
    }
  return plain;
}

std::string last_word(const std::string& path) {
  return path.substr(path.find_last_of('.') + 1);
}

std::string row_text(const FieldRow& row) {
  const std::string fallback = row.fallback.empty() || row.fallback == "none"
                                   ? ""
                                   : row.fallback == "required" ? "; " + row.fallback
                                                                : "; default " + row.fallback;
  return fmt::format("{}\n  {}\n  {}{}\n", row.path, row.doc, row.type, fallback);
}

// Describes a key and, for a map, all keys in it.
std::string key_text(const FieldRow& key, const std::vector<FieldRow>& rows) {
  std::string text = row_text(key);
  for (const FieldRow& row : rows)
    if (row.path.starts_with(key.path + ".") || row.path.starts_with(key.path + "[]."))
      text += "\n" + row_text(row);
  if (key.path == "stages[].grow") text += "\nOperators:\n" + operators_table();
  if (key.path == "lr.curve")
    for (const schedule::LrCurve& curve : schedule::lr_curves())
      text += fmt::format("  {}: {}\n", curve.name, curve.help);
  return text;
}

// Returns whether the word is one of a key's choices, which its type lists.
bool is_choice(const std::string& word, const FieldRow& row) {
  std::vector<std::string> choices;
  for (const std::string& choice : split(row.type, ',')) choices.emplace_back(trim(choice));
  return choices.size() > 1 && std::ranges::find(choices, word) != choices.end();
}

// Returns the key with this path, then all keys that end with this word, then those that offer it
// as a choice.
std::vector<FieldRow> find_keys(const std::string& word, const std::vector<FieldRow>& rows) {
  std::vector<FieldRow> found;
  for (const FieldRow& row : rows)
    if (plain_path(row.path) == plain_path(word)) found.push_back(row);
  for (const FieldRow& row : rows)
    if (plain_path(last_word(row.path)) == word && plain_path(row.path) != word)
      found.push_back(row);
  for (const FieldRow& row : rows)
    if (is_choice(word, row)) found.push_back(row);
  return found;
}

// Returns whether the text contains the word, in lower or upper case, not as part of another.
bool mentions(const std::string& text, const std::string& word) {
  const std::string in = lower(text), what = lower(word);
  const auto letter = [&](std::size_t i) {
    return i < in.size() && (std::isalnum(static_cast<unsigned char>(in[i])) || in[i] == '_');
  };
  for (std::size_t at = 0; (at = in.find(what, at)) != std::string::npos; ++at)
    if (!letter(at - 1) && !letter(at + what.size())) return true;
  return false;
}

// Returns the keys whose explanation uses the word: machine.flops explains mfu.
std::string keys_that_mention(const std::string& word, const std::vector<FieldRow>& rows) {
  std::string text;
  for (const FieldRow& row : rows)
    if (mentions(row.doc, word)) text += "\n" + row_text(row);
  if (text.empty()) return "";
  return fmt::format("'{}' is not a key of the schedule. These keys mention it:\n", word) + text;
}

std::string help_text(const CLI::App& app, const std::string& word) {
  const std::vector<FieldRow> rows = schedule::document();
  std::string text;
  for (const FieldRow& key : find_keys(word, rows))
    text += (text.empty() ? "" : "\n") + key_text(key, rows);
  for (const grow::OperatorEntry& entry : grow::operators())
    if (word == entry.name) text += (text.empty() ? "" : "\n") + operator_text(word);
  for (const CLI::App* command : shown_commands(app))
    if (word == command->get_name())
      text += (text.empty() ? "" : "\n") + std::string("The command:\n") + command->help("stagedtrain");
  if (text.empty()) text = keys_that_mention(word, rows);
  if (!text.empty()) return text;

  std::vector<std::string> words;
  for (const FieldRow& row : rows) {
    words.push_back(plain_path(row.path));
    words.push_back(plain_path(last_word(row.path)));
  }
  for (const grow::OperatorEntry& entry : grow::operators()) words.push_back(entry.name);
  for (const CLI::App* command : shown_commands(app)) words.push_back(command->get_name());
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  const auto near = nearest_word(word, words);
  throw usage_error(
      "help: '{}' is not a key of the schedule or a choice of one, an operator or a command{}",
      word, near ? fmt::format("; did you mean '{}'?", *near) : "")
      .with_hint("stagedtrain help lists the keys; docs/schedule-reference.md has them all");
}

std::string list_of_keys() {
  std::string text = "Keys of the schedule; 'stagedtrain help KEY' explains one:\n";
  for (const FieldRow& row : schedule::document())
    if (row.type != "map" && row.type != "list of map") text += "  " + row.path + "\n";
  return text;
}

}  // namespace

void add_help(CLI::App& app) {
  auto word = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("help", "Explains a key of the schedule, a growth operator or a command");
  command
      ->add_option("word", *word,
                   "lr.peak, peak, stages.for, depth, train, ...; without a word, lists the keys")
      ->type_name("WORD");
  command->footer(R"(
Examples:
  stagedtrain help lr.peak
  stagedtrain help stages.until
  stagedtrain help depth)");
  command->callback([&app, word] { print(word->empty() ? list_of_keys() : help_text(app, *word)); });
}

}  // namespace stagedtrain::cmd
