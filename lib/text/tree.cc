// Looks up values in Trees, overlays Trees, and prints them as YAML.
#include "text/tree.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "text/text.h"

namespace stagedtrain {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Returns whether a YAML reader takes this text for itself without quotes.
bool is_plain(std::string_view text) {
  return !text.empty() && text.find_first_of(":#{}[],&*!|>'\"%@`\\") == std::string::npos &&
         std::none_of(text.begin(), text.end(), is_control) && text.front() != ' ' &&
         text.back() != ' ' && text.front() != '-' && text.front() != '?' && text != "~" &&
         text != "null";
}

std::string double_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (is_control(c)) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

// Quotes text that a YAML reader would take for something else or refuse.
std::string yaml_scalar(const Tree& tree) {
  const std::string& text = tree.text;
  if (tree.quoted) return double_quoted(text);
  const bool percent = text.size() > 1 && text.back() == '%' &&
                       text.find_first_not_of("0123456789.e-+") == text.size() - 1;
  return is_plain(text) || percent || parse_number(text) ? text : double_quoted(text);
}

std::string yaml_key(const std::string& key) { return is_plain(key) ? key : double_quoted(key); }

std::string inline_yaml(const Tree& tree) {
  std::vector<std::string> parts;
  switch (tree.kind) {
    case Tree::Kind::none:
      return "~";
    case Tree::Kind::scalar:
      return yaml_scalar(tree);
    case Tree::Kind::list:
      for (const Tree& item : tree.items) parts.push_back(inline_yaml(item));
      return "[" + join(parts, ", ") + "]";
    case Tree::Kind::map:
      for (const TreeEntry& entry : tree.entries)
        parts.push_back(yaml_key(entry.key) + ": " + inline_yaml(entry.value));
      return "{" + join(parts, ", ") + "}";
  }
  return "";
}

void block_yaml(const Tree& tree, int depth, std::string& out) {
  constexpr std::size_t kInlineWidth = 110;
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  for (const TreeEntry& entry : tree.entries) {
    const std::string line = inline_yaml(entry.value);
    const bool list_of_maps = entry.value.kind == Tree::Kind::list && !entry.value.items.empty() &&
                              entry.value.items[0].kind == Tree::Kind::map;
    if (list_of_maps) {
      out += indent + yaml_key(entry.key) + ":\n";
      for (const Tree& item : entry.value.items) out += indent + "  - " + inline_yaml(item) + "\n";
    } else if (entry.value.kind == Tree::Kind::map && line.size() > kInlineWidth) {
      out += indent + yaml_key(entry.key) + ":\n";
      block_yaml(entry.value, depth + 1, out);
    } else {
      out += indent + yaml_key(entry.key) + ": " + line + "\n";
    }
  }
}

}  // namespace

std::string to_string(const Mark& mark) {
  if (!mark.file) return "";
  if (mark.line == 0) return *mark.file + ": ";
  return fmt::format("{}:{}:{}: ", *mark.file, mark.line, mark.column);
}

Tree Tree::scalar(std::string text) {
  Tree tree;
  tree.kind = Kind::scalar;
  tree.text = std::move(text);
  return tree;
}

Tree Tree::list(std::vector<Tree> items) {
  Tree tree;
  tree.kind = Kind::list;
  tree.items = std::move(items);
  return tree;
}

Tree Tree::map() {
  Tree tree;
  tree.kind = Kind::map;
  return tree;
}

const Tree* Tree::find(std::string_view key) const {
  const auto at = std::find_if(entries.begin(), entries.end(),
                               [&](const TreeEntry& e) { return e.key == key; });
  return at == entries.end() ? nullptr : &at->value;
}

Tree* Tree::find(std::string_view key) { return const_cast<Tree*>(std::as_const(*this).find(key)); }

Tree& Tree::set(std::string key, Tree value) {
  if (kind == Kind::none) kind = Kind::map;
  if (Tree* old = find(key)) return *old = std::move(value);
  entries.push_back({std::move(key), value.mark, std::move(value)});
  return entries.back().value;
}

void Tree::erase(std::string_view key) {
  std::erase_if(entries, [&](const TreeEntry& entry) { return entry.key == key; });
}

std::string Tree::describe() const {
  switch (kind) {
    case Kind::none:
      return "nothing";
    case Kind::scalar:
      return fmt::format("'{}'", text.size() > 60 ? text.substr(0, 57) + "..." : text);
    case Kind::list:
      return fmt::format("a list of {}", items.size());
    case Kind::map:
      return "a map";
  }
  return "";
}

Tree overlay(Tree base, const Tree& over) {
  if (base.kind != Tree::Kind::map || over.kind != Tree::Kind::map) return over;
  for (const TreeEntry& entry : over.entries) {
    Tree* old = base.find(entry.key);
    base.set(entry.key, old ? overlay(*old, entry.value) : entry.value);
  }
  return base;
}

std::string to_yaml(const Tree& tree) {
  if (tree.kind != Tree::Kind::map) return inline_yaml(tree) + "\n";
  std::string out;
  block_yaml(tree, 0, out);
  return out;
}

}  // namespace stagedtrain
