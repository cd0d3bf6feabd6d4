// A parsed document as plain data: scalars, lists and maps, each with the place it was written.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace stagedtrain {

// Where a value was written; line and column count from 1, 0 when there is no such place.
struct Mark {
  std::shared_ptr<const std::string> file;
  int line = 0, column = 0;
};
std::string to_string(const Mark& mark);  // "file:line:column: ", or "" without a file

struct TreeEntry;

// A value. Maps keep the written order; keys are unique (the reader of documents sees to it).
struct Tree {
  enum class Kind { none, scalar, list, map };
  Kind kind = Kind::none;
  bool quoted = false;  // a scalar in quotes is always text
  std::string text;     // a scalar's
  Mark mark;
  std::vector<Tree> items;
  std::vector<TreeEntry> entries;

  static Tree scalar(std::string text);
  static Tree list(std::vector<Tree> items);
  static Tree map();
  // The entry's value, or null.
  const Tree* find(std::string_view key) const;
  Tree* find(std::string_view key);
  // Replaces or appends an entry of a map (a none becomes a map).
  Tree& set(std::string key, Tree value);
  void erase(std::string_view key);
  // Throws Error(usage) at this place.
  template <class... Args>
  Error error(fmt::format_string<Args...> format, Args&&... args) const {
    return Error(ErrorKind::usage,
                 to_string(mark) + fmt::format(format, std::forward<Args>(args)...));
  }
  std::string describe() const;  // "the text 'abc'", "a list of 3", "a map", "nothing"
};

struct TreeEntry {
  std::string key;
  Mark mark;  // of the key
  Tree value;
};

// over's values put over base's, maps entry by entry, anything else whole.
Tree overlay(Tree base, const Tree& over);
// Runs f; an Error(usage) it throws gets this place and path (if any) in front. For errors that
// know neither.
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
// The tree as YAML text that reads back as the same tree: block style, short lists and maps inline.
std::string to_yaml(const Tree& tree);

}  // namespace stagedtrain
