// Where the datasets of a checkpoint that is being written lie, and the checksums of their blocks.
// CheckpointWriter and CheckpointPart share it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_index.h"
#include "checkpoint/layout.h"
#include "io/stream_output.h"
#include "state/training_state.h"

namespace stagedtrain::state {

struct StateHeader;

// Datasets are the tensors (dataset_index), then metadata and tokenizer.
class TensorPlaces {
 public:
  // `where` begins the messages. tokenizer_bytes: 0 without a tokenizer.
  TensorPlaces(const StateHeader& header, std::uint64_t metadata_bytes,
               std::uint64_t tokenizer_bytes, std::string where);

  const arch::ParamTable& table() const { return table_; }
  const Layout& layout() const { return layout_; }
  // The number of datasets that are tensors, those of adapters included.
  std::size_t tensors() const { return tensors_; }
  std::size_t tensor(TensorKind kind, std::size_t index) const;
  std::size_t adapter_tensor(std::size_t index) const;
  std::vector<IndexRow>& rows() { return rows_; }
  std::span<IndexRow> rows_of(std::size_t dataset);

  // Marks a dataset as written. Throws Error(bug) if it was, or if its size is another one.
  void take(std::size_t dataset, std::uint64_t bytes);
  // Throws Error(bug) unless all were taken.
  void check_complete() const;
  // Checks and checksums a part of a dataset that begins at a multiple of kBlockBytes. Several
  // threads may call this. Throws Error(diverged) for a tensor's value that is not finite.
  void check_and_sum(std::size_t dataset, std::uint64_t start, std::span<const std::byte> bytes);
  // Writes a dataset outside of the front in the background. The bytes must stay unchanged until
  // the stream is drained or, if there is an owner, until it is released.
  void write_large(StreamOutput& stream, std::size_t dataset, std::span<const std::byte> bytes,
                   std::shared_ptr<const void> owner);

 private:
  std::string where_;
  arch::ParamTable table_, adapters_;
  std::size_t tensors_;
  DType dtype_;
  Layout layout_;
  std::vector<IndexRow> rows_;
  std::vector<std::size_t> first_row_;  // the first row of each dataset
  std::vector<bool> taken_;
};

// Returns how many bytes may wait to be written: the largest tensor, or enough to keep all threads
// busy.
std::uint64_t most_waiting(const Layout& layout);

}  // namespace stagedtrain::state
