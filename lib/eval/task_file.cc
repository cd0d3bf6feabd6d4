// Reads task files strictly, because skipping an example would change the score.
#include "eval/task_file.h"

#include "base/error.h"
#include "text/strict_json.h"
#include "text/text.h"

namespace stagedtrain::eval {
namespace {

const std::string& text_of(const SortedJson& json, const std::string& what,
                           const std::string& place) {
  if (!json.is_string())
    throw input_error("{}: {} is {}, expected a string", place, what, json.type_name());
  return json.get_ref<const std::string&>();
}

TaskExample last_word(const std::string& text, const std::string& place) {
  const std::size_t end = text.find_last_not_of(' ');
  const std::size_t space = end == std::string::npos ? end : text.find_last_of(' ', end);
  if (space == std::string::npos || space == 0)
    throw input_error(
        "{}: text has fewer than two words, expected one to predict and others before it", place);
  return {text.substr(0, space), {text.substr(space, end + 1 - space)}, 0, place};
}

std::size_t gold_of(const SortedJson& json, std::size_t count, const std::string& place) {
  const auto found = json.find("gold");
  if (found == json.end() && count == 1) return 0;
  if (found == json.end() || !found->is_number_unsigned() || found->get<std::uint64_t>() >= count)
    throw input_error("{}: gold is {}, expected a whole number from 0 to {}", place,
                      found == json.end() ? "missing" : found->dump(), count - 1);
  return found->get<std::size_t>();
}

TaskExample example_of(const SortedJson& json, const std::string& place) {
  if (!json.is_object()) throw input_error("{}: found {}, expected a JSON object", place,
                                           json.type_name());
  const auto context = json.find("context"), continuations = json.find("continuations");
  if (context == json.end() && json.contains("text"))
    return last_word(text_of(json["text"], "text", place), place);
  if (context == json.end() || continuations == json.end() || !continuations->is_array() ||
      continuations->empty())
    throw input_error("{}: expected {{\"context\": TEXT, \"continuations\": [TEXT, ...], \"gold\": "
                      "INDEX}} or {{\"text\": TEXT}}", place);
  TaskExample example{text_of(*context, "context", place), {}, 0, place};
  for (const SortedJson& each : *continuations) {
    example.continuations.push_back(text_of(each, "a continuation", place));
    if (trim(example.continuations.back()).empty())
      throw input_error("{}: a continuation is empty, expected text", place);
  }
  example.gold = gold_of(json, example.continuations.size(), place);
  return example;
}

// White space beyond ASCII, as str.isspace of Python counts it, in UTF-8. The harness takes the
// end off a context by str.rstrip.
constexpr std::string_view kWideSpaces[] = {
    "\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
    "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

std::string_view without_spaces_at_end(std::string_view text) {
  for (;;) {
    const std::size_t before = text.size();
    text = text.substr(0, text.find_last_not_of(" \t\n\v\f\r\x1c\x1d\x1e\x1f") + 1);
    for (const std::string_view space : kWideSpaces)
      if (text.ends_with(space)) text.remove_suffix(space.size());
    if (text.size() == before) return text;
  }
}

// Moves white space at the end of the context to the continuations: tokenizers attach a space to
// the word after it.
void move_spaces(TaskExample& example) {
  const std::size_t end = without_spaces_at_end(example.context).size();
  const std::string spaces = example.context.substr(end);
  example.context.resize(end);
  example.moved = spaces.size();
  for (std::string& continuation : example.continuations) continuation = spaces + continuation;
  if (example.context.empty())
    throw input_error("{}: the context is empty, expected text before the continuations",
                      example.place);
}

}  // namespace

std::vector<TaskExample> read_task_file(const Path& path) {
  std::vector<TaskExample> examples;
  const std::vector<std::string> lines = split(read_text_file(path), '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (trim(lines[i]).empty()) continue;
    const std::string place = fmt::format("{}:{}", path.string(), i + 1);
    examples.push_back(example_of(parse_strict_json(lines[i], place, kMostJsonLevels), place));
    move_spaces(examples.back());
  }
  if (examples.empty())
    throw input_error("{}: holds no examples, expected one JSON object a line", path.string());
  return examples;
}

}  // namespace stagedtrain::eval
