// Reading scalars with their errors, and the words of the reference.
#include "base/fields.h"

#include <algorithm>

namespace stagedtrain {
namespace {

const std::string& scalar_text(const Tree& tree, const char* expected) {
  if (tree.kind != Tree::Kind::scalar)
    throw usage_error("found {}, expected {}", tree.describe(), expected);
  return tree.text;
}

std::string bounds(const FieldInfo& info) {
  const bool low = std::isfinite(info.min), high = std::isfinite(info.max);
  const char* above = info.above_min ? "above" : "at least";
  if (low && high && !info.above_min)
    return fmt::format("from {} to {}", format_number(info.min), format_number(info.max));
  if (low && high)
    return fmt::format("above {}, at most {}", format_number(info.min), format_number(info.max));
  if (low) return fmt::format("{} {}", above, format_number(info.min));
  if (high) return fmt::format("at most {}", format_number(info.max));
  return "";
}

void check_range(double value, const Tree& tree, const FieldInfo& info) {
  if (value < info.min || value > info.max || (info.above_min && value == info.min))
    throw usage_error("found {}, expected {}", tree.describe(), bounds(info));
}

}  // namespace

bool read_bool(const Tree& tree) {
  const std::string& text = scalar_text(tree, "true or false");
  if (!tree.quoted && text == "true") return true;
  if (!tree.quoted && text == "false") return false;
  throw usage_error("found {}, expected true or false", tree.describe());
}

std::int64_t read_count(const Tree& tree, const FieldInfo& info) {
  const auto value = tree.quoted ? std::nullopt : parse_count(scalar_text(tree, "a whole number"));
  if (!value) {
    const auto number = tree.quoted ? std::nullopt : parse_number(tree.text);
    if (number && std::abs(*number) > 0x1p53)
      throw usage_error("found {}, expected a whole number of at most 2^53", tree.describe());
    throw usage_error("found {}, expected a whole number (as 4096, 64K, 1e6)", tree.describe());
  }
  check_range(static_cast<double>(*value), tree, info);
  return *value;
}

double read_number(const Tree& tree, const FieldInfo& info) {
  const auto value = tree.quoted ? std::nullopt : parse_number(scalar_text(tree, "a number"));
  if (!value) throw usage_error("found {}, expected a number", tree.describe());
  check_range(*value, tree, info);
  return *value;
}

std::string read_word(const Tree& tree, const std::vector<std::string>& choices) {
  const std::string& text = scalar_text(tree, "text");
  if (choices.empty() || std::find(choices.begin(), choices.end(), text) != choices.end())
    return text;
  throw usage_error("found '{}'{}", text, suggestion(text, choices));
}

Duration read_duration(const Tree& tree) { return parse_duration(scalar_text(tree, "a duration")); }

const Tree& expect_map(const Tree& tree, const std::string& where) {
  static const Tree empty = Tree::map();
  if (tree.kind == Tree::Kind::map) return tree;
  if (tree.kind == Tree::Kind::none) return empty;
  throw tree.error("{}: found {}, expected keys and values", where.empty() ? "document" : where,
                   tree.describe());
}

void refuse_unknown_keys(const Tree& tree, const std::vector<std::string>& known,
                         const std::string& where) {
  for (const TreeEntry& entry : tree.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const std::string path = where.empty() ? entry.key : where + "." + entry.key;
    throw Error(ErrorKind::usage,
                to_string(entry.mark) +
                    fmt::format("unknown key '{}'{}", path, suggestion(entry.key, known)));
  }
}

void FieldReader::finish(const std::vector<std::string>& also_known) const {
  std::vector<std::string> known = known_;
  known.insert(known.end(), also_known.begin(), also_known.end());
  refuse_unknown_keys(tree_, known, path_);
  if (!missing_.empty())
    throw tree_.error("{}key '{}' is missing", path_.empty() ? "" : path_ + ": ", missing_.front());
}

std::string FieldDocumenter::default_text(const Tree& tree) {
  std::string text = to_yaml(tree);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return tree.kind == Tree::Kind::none || text == "\"\"" ? "none" : text;
}

std::string FieldDocumenter::range_text(const FieldInfo& info) {
  const std::string text = bounds(info);
  return text.empty() ? "" : ", " + text;
}

}  // namespace stagedtrain
