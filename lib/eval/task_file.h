// Tasks with known answers, as JSON lines.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/file.h"

namespace stagedtrain::eval {

// One example. With one continuation it is a last-word task: is that what the model would write?
// With more it is multiple choice: is the likeliest the one at gold?
struct TaskExample {
  std::string context;
  std::vector<std::string> continuations;
  std::size_t gold = 0;
  std::string place;  // file:line, for errors

  bool is_choice() const { return continuations.size() > 1; }
};

// Each line is {"context": TEXT, "continuations": [TEXT, ...], "gold": INDEX from 0}, or {"text":
// TEXT} for the last word of a text that is cut at its last space. Other members are ignored. gold
// may be left out where there is one continuation. As in lm-evaluation-harness, spaces at the end of
// a context belong to its continuations. Throws Error(input) that names file:line.
std::vector<TaskExample> read_task_file(const Path& path);

}  // namespace stagedtrain::eval
