// Checkpoints that the program would never write: right in every checksum, wrong in one thing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "state/hdf5_file.h"
#include "state/training_state.h"

namespace stagedtrain::test {

// Begins as the file of a state, ready to be changed and written.
struct CraftedCheckpoint {
  explicit CraftedCheckpoint(const state::TrainingState& state);

  std::string format;
  std::int64_t format_version;
  std::vector<state::Dataset> datasets;  // all, metadata and tokenizer last
  std::vector<std::string> contents;     // bytes of each

  // The dataset of this path. Requires that there is one.
  std::size_t index(const std::string& path) const;
  void remove(const std::string& path);
  void add(const state::Dataset& dataset, const std::string& bytes);
  // Requires contents of the datasets' sizes.
  void write(const std::filesystem::path& path) const;
};

}  // namespace stagedtrain::test
