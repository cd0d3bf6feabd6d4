// Assembles lines from pieces of a file and parses each one strictly.
#include "prepare/json_lines.h"

#include "text/printable.h"
#include "text/strict_json.h"
#include "text/text.h"

namespace stagedtrain::data {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 30;

// Returns the names of an object's fields, such as "'id', 'body'"; at most eight of them.
std::string fields_of(const SortedJson& line) {
  std::string text;
  int shown = 0;
  for (const auto& [key, value] : line.items()) {
    if (++shown > 8) return text + ", ...";
    text += (text.empty() ? "'" : ", '") + printable(key) + "'";
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void JsonLines::feed(std::string_view piece) {
  for (std::size_t end; (end = piece.find('\n')) != std::string_view::npos;
       piece.remove_prefix(end + 1)) {
    if (begun_.empty()) {
      take(piece.substr(0, end));
    } else {
      begun_ += piece.substr(0, end);
      take(begun_);
      begun_.clear();
    }
  }
  begun_ += piece;
  if (begun_.size() > kLongestLine)
    throw input_error("{}:{}: the line is longer than 1 GiB, expected one document a line", name_,
                      line_ + 1);
}

void JsonLines::finish() {
  if (!begun_.empty()) take(begun_);
  begun_.clear();
}

void JsonLines::take(std::string_view line) {
  const std::string where = fmt::format("{}:{}", name_, ++line_);
  if (trim(line).empty()) return;
  const SortedJson json = parse_strict_json(line, where, kMostJsonLevels);
  if (!json.is_object())
    throw input_error("{}: found {}, expected a JSON object with the field '{}'", where,
                      json.type_name(), field_);
  const auto found = json.find(field_);
  if (found == json.end())
    throw input_error("{}: has no field '{}', expected one that holds the text", where, field_)
        .with_hint(fmt::format("its fields are {}; name the one to read with --field",
                               fields_of(json)));
  if (!found->is_string())
    throw input_error("{}: the field '{}' is {}, expected a string", where, field_,
                      found->type_name());
  const auto& text = found->get_ref<const std::string&>();
  if (text.empty()) {
    ++without_text_;
  } else {
    use_(text);
  }
}

}  // namespace stagedtrain::data
