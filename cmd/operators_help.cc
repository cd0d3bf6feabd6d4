// Formats operators and their options as text and JSON.
#include "cmd/operators_help.h"

#include "grow/operator.h"
#include "text/json.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::cmd {
namespace {

constexpr std::size_t kIndent = 30, kWidth = 100;

// Wraps words to kWidth columns, starting at column kIndent.
std::string wrapped(const std::string& words) {
  std::string text;
  std::size_t column = kIndent;
  for (const std::string& word : split(words, ' ')) {
    const bool first = column == kIndent;
    if (!first && column + 1 + word.size() > kWidth) {
      text += "\n" + std::string(kIndent, ' ');
      column = kIndent;
    } else if (!first) {
      text += ' ';
      ++column;
    }
    text += word;
    column += word.size();
  }
  return text;
}

std::string option_text(const FieldRow& row) {
  const std::string fallback = row.fallback == "none" ? "" : "; default " + row.fallback;
  return fmt::format("  {:<{}}{}\n{:{}}({}{})\n", "--" + row.path, kIndent - 2, wrapped(row.doc),
                     "", kIndent, row.type, fallback);
}

Json option_json(const FieldRow& row) {
  return {{"option", row.path}, {"type", row.type}, {"default", row.fallback}, {"help", row.doc}};
}

// Lists the operators that only grow a model, or all others.
std::string operator_lines(bool only_grow) {
  std::string text;
  for (const grow::OperatorEntry& entry : grow::operators())
    if ((std::string_view(entry.effect) == "grows") == only_grow)
      text += fmt::format("  {:<12} {}\n", entry.name, entry.help);
  return text;
}

std::string example_text() {
  return R"(Examples:
  stagedtrain grow --list
  stagedtrain grow --list --operator lemon
  stagedtrain grow small.h5 large.h5 --operator depth --layers 12
  stagedtrain grow small.h5 --operator width --factor 2 --symmetry.noise 0.02 --dry-run
  stagedtrain grow runs/a/stages/shallow.h5 large.h5 --schedule schedules/demo.yaml --stage full
  stagedtrain grow small.h5 large.h5 --operator width --verify data/book/validation.bin)";
}

}  // namespace

std::string operators_table() {
  std::vector<std::vector<std::string>> rows{
      {"operator", "does", "to", "keeps the loss", "source"}};
  for (const grow::OperatorEntry& entry : grow::operators())
    rows.push_back({entry.name, entry.effect, entry.grows, entry.exact, entry.source});
  return plan::text_table(rows, rows[0].size(), "");
}

std::string operator_text(const std::string& name) {
  const grow::OperatorEntry& entry = grow::find_operator(name);
  std::string text = fmt::format("{}: {}\n  {} {}; keeps the loss: {}; {}\n", entry.name,
                                 entry.help, entry.effect, entry.grows, entry.exact, entry.source);
  for (const FieldRow& row : entry.document())
    if (row.type != "map") text += option_text(row);
  return text;
}

std::string operators_json() {
  Json list = Json::array();
  for (const grow::OperatorEntry& entry : grow::operators()) {
    Json options = Json::array();
    for (const FieldRow& row : entry.document())
      if (row.type != "map") options.push_back(option_json(row));
    list.push_back({{"operator", entry.name},
                    {"effect", entry.effect},
                    {"grows", entry.grows},
                    {"exact", entry.exact},
                    {"source", entry.source},
                    {"help", entry.help},
                    {"options", options}});
  }
  return json_text(list) + "\n";
}

std::string grow_footer() {
  return "\nOperators that make a model larger (docs/growth.md, and --list --operator NAME):\n\n" +
         operator_lines(true) + "\nOperators that make a model smaller, or mix several:\n\n" +
         operator_lines(false) + "\n" + example_text();
}

}  // namespace stagedtrain::cmd
