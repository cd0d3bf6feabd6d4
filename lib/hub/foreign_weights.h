// How are a checkpoint's weights written in a foreign layout, on all cores?
#pragma once

#include <mutex>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "foreign/tensor_names.h"
#include "hub/piece_output.h"
#include "modelfiles/safetensors.h"

namespace stagedtrain::hub {

// A tensor's place in a file: its numbers begin at offset, and zeros follow them up to end.
struct PlacedTensor {
  const MappedTensor* tensor = nullptr;
  Element element = Element::f32;
  std::uint64_t offset = 0, end = 0;
};

class ForeignWeights {
 public:
  // kind: the tensors that are written, weights or ema. model is the checkpoint's configuration,
  // possibly with a smaller vocabulary, whose extra rows are then left out. logit_scale is folded
  // into the final norm. `from` must outlive this object. Throws Error(usage) as map_tensors does.
  ForeignWeights(const state::CheckpointReader& from, state::TensorKind kind,
                 const NameTable& names, const arch::ModelConfig& model);
  const std::vector<MappedTensor>& tensors() const { return mapped_; }
  // Writes the tensors, which are best given in the order of their places. Every block is verified
  // (CheckpointReader::view_block), and converted while it is in the cache. Besides what
  // PieceOutput holds, a block for each thread is in memory, and for Layout::transposed a tensor.
  void write(const std::vector<PlacedTensor>& placed, PieceOutput& out) const;

 private:
  struct Task;
  std::vector<Task> tasks_of(const std::vector<PlacedTensor>& placed) const;
  void write_task(const Task& task, std::vector<float>& buffer, PieceOutput& out) const;
  void write_block(const PlacedTensor& placed, std::size_t part, std::uint64_t block,
                   std::vector<float>& buffer, PieceOutput& out) const;
  void write_transposed(const PlacedTensor& placed, std::vector<float>& buffer,
                        PieceOutput& out) const;
  // Returns the numbers of a block as f32, without those of extra rows. They are in the checkpoint,
  // or in buffer if they had to be converted.
  std::span<const float> read_numbers(std::size_t own, std::uint64_t block,
                                      std::vector<float>& buffer) const;
  // Returns the index within its tensor of the first number of a block.
  std::uint64_t first_number(std::uint64_t block) const;

  const state::CheckpointReader& from_;
  state::TensorKind kind_;
  arch::ModelConfig model_;
  arch::ParamTable table_;
  std::vector<MappedTensor> mapped_;
  mutable std::mutex transposing_;  // only one task at a time holds a whole tensor
};

}  // namespace stagedtrain::hub
