// Checkpoints that the program would never write: right in every checksum, wrong in one thing.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_index.h"
#include "state/training_state.h"

namespace stagedtrain::test {

// Begins as the file of a state, ready to be changed and written.
struct CraftedCheckpoint {
  explicit CraftedCheckpoint(const state::TrainingState& state);

  std::vector<state::Dataset> datasets;  // all but the index: tensors, metadata, tokenizer
  std::vector<std::string> contents;     // bytes of each
  // Changes the rows of the index and the header block, before checksums are taken of them.
  std::function<void(std::vector<state::IndexRow>&)> change_rows = {};
  std::function<void(state::HeaderBlock&)> change_header = {};

  // The dataset of this path. Requires that there is one.
  std::size_t index(const std::string& path) const;
  std::string& metadata() { return contents[index("metadata")]; }
  void remove(const std::string& path);
  // One text of this name at the root, or one tensor in a group.
  void add(const state::Dataset& dataset, const std::string& bytes);
  // Requires contents of the tensors' sizes; texts may have any size.
  std::string bytes() const;
  void write(const std::filesystem::path& path) const;
};

// Makes every checksum right again that a reader may compare: of all blocks that lie in the file,
// of the index if it does, and of the header block.
void seal(std::string& file);

}  // namespace stagedtrain::test
