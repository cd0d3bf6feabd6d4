// A Tree is a parsed document as plain data: scalars, lists and maps, each with its place in the
// file.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stagedtrain {

// Where a value was written. Line and column count from 1, and are 0 if there is no such place.
struct Mark {
  std::shared_ptr<const std::string> file;
  int line = 0, column = 0;
};
std::string to_string(const Mark& mark);  // "file:line:column: ", or "" without a file

struct TreeEntry;

// A value. Maps keep the order in which they were written, and their keys are unique (the parser
// ensures that).
struct Tree {
  enum class Kind { none, scalar, list, map };
  Kind kind = Kind::none;
  bool quoted = false;  // a scalar in quotes is always text
  std::string text;     // the text of a scalar
  Mark mark;
  std::vector<Tree> items;
  std::vector<TreeEntry> entries;

  static Tree scalar(std::string text);
  static Tree list(std::vector<Tree> items);
  static Tree map();
  // Returns the entry's value, or null.
  const Tree* find(std::string_view key) const;
  Tree* find(std::string_view key);
  // Replaces or appends an entry of a map. A Tree of kind none becomes a map.
  Tree& set(std::string key, Tree value);
  void erase(std::string_view key);
  // Returns an Error(usage) at this place.
  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return Error(ErrorKind::usage,
                 to_string(mark) + fmt::format(format, std::forward<Args>(args)...));
  }
  std::string describe() const;  // "'abc'", "a list of 3", "a map", "nothing"
};

struct TreeEntry {
  std::string key;
  Mark mark;  // the key's place
  Tree value;
};

// Puts over's values over those of base: maps entry by entry, anything else as a whole.
Tree overlay(Tree base, const Tree& over);
// Runs f. If it throws Error(usage), this place and path (if any) are put before its message. For
// code that knows neither.
template <class F>
decltype(auto) at_place(const Tree& tree, const std::string& path, F f) {
  try {
    return f();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
    const std::string where = to_string(tree.mark) + (path.empty() ? "" : path + ": ");
    throw Error(error.kind(), where + error.what(), error.hint());
  }
}
// Returns YAML text that reads back as the same tree, in block style with short lists and maps
// inline.
std::string to_yaml(const Tree& tree);

}  // namespace stagedtrain
