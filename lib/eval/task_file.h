// Reads tasks with known answers from JSON lines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "io/file.h"

namespace stagedtrain::eval {

// An example. With one continuation it is a last-word task: would the model write this
// continuation? With several it is multiple choice: is the one at index gold the likeliest?
struct TaskExample {
  std::string context;
  std::vector<std::string> continuations;
  std::size_t gold = 0;
  std::string place;  // file:line, for errors
  // Bytes at the front of each continuation that were the white space at the end of the context.
  // They are scored, but do not count when a likelihood is divided by the length of its choice.
  std::size_t moved = 0;

  bool is_choice() const { return continuations.size() > 1; }
};

// Each line is {"context": TEXT, "continuations": [TEXT, ...], "gold": INDEX from 0}, or {"text":
// TEXT}, whose last word is the continuation. Other members are ignored. gold may be missing if
// there is one continuation. As in lm-evaluation-harness, white space at the end of a context (what
// Python's str.rstrip removes) belongs to its continuations. Throws Error(input) that names file:line.
std::vector<TaskExample> read_task_file(const Path& path);

}  // namespace stagedtrain::eval
