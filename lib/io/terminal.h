// How does every part of the program print to standard error? Lines that stay, and one line that is
// rewritten.
//
// Results are values, which only cmd prints to standard output. Messages that cannot wait for a
// command to end (progress of training, warnings of a kernel that failed its check) are printed
// where they arise, by these functions alone, so that control characters in file names never reach
// a terminal and a closed stream ends nothing.
#pragma once

#include <string>
#include <string_view>

namespace stagedtrain {

// Prints text, which ends with a newline, with control characters escaped. Ignores write errors.
void print_to_stderr(std::string_view text);

// Whether standard error is a terminal, on which a line can be rewritten.
bool stderr_is_terminal();

// The last line of a terminal, for one thread at a time.
class RewrittenLine {
 public:
  RewrittenLine() = default;
  RewrittenLine(const RewrittenLine&) = delete;
  ~RewrittenLine() { clear(); }
  // Replaces the line by this text, cut to the width of the terminal.
  void show(std::string text);
  // Removes the line. Call it before anything else is printed.
  void clear();
  bool shown() const { return shown_; }

 private:
  bool shown_ = false;
};

}  // namespace stagedtrain
