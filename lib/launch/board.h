// A place where `train --processes` and the ranks that it has started leave texts for each other.
//
// It is a file in memory that the ranks inherit, so it works before ranks have met in a store, and
// when they never do. Texts are only ever appended, by one write each, so nobody needs a lock that
// a stopped process could hold.
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::dist {

class Board {
 public:
  // Returns a descriptor, which is open in child processes, too, or -1 if the system has none.
  static int make();
  // Uses this descriptor without owning it. With -1, the board stays empty.
  explicit Board(int descriptor) : descriptor_(descriptor) {}
  // Returns the board of this process's launcher, or an empty one.
  static Board of_this_process();

  // Returns whether this process is the first to say this text, or there is no board.
  bool says_first(const std::string& text) const;
  // Tells the others that a rank has ended or hangs, so that none of them waits for it.
  void post_loss() const;
  bool has_loss() const;

 private:
  void append(const std::string& line) const;
  std::vector<std::string> lines() const;
  int descriptor_;
};

// The environment variable that holds the descriptor.
inline constexpr const char* kBoardVariable = "STAGEDTRAIN_BOARD";

}  // namespace stagedtrain::dist
