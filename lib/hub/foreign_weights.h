// How a checkpoint's weights are written in a foreign layout, one tensor at a time.
#pragma once

#include <vector>

#include "checkpoint/checkpoint.h"
#include "hub/sequential_output.h"
#include "hub/tensor_names.h"
#include "modelfiles/safetensors.h"

namespace stagedtrain::hub {

class ForeignWeights {
 public:
  // kind: the tensors that are written, weights or ema. model is the checkpoint's configuration,
  // possibly with a smaller vocabulary, whose extra rows are then left out. logit_scale is folded
  // into the final norm. `from` must outlive this object. Throws Error(usage) as map_tensors does.
  ForeignWeights(const state::CheckpointReader& from, state::TensorKind kind,
                 const NameTable& names, const arch::ModelConfig& model);
  const std::vector<MappedTensor>& tensors() const { return mapped_; }
  // Writes one tensor at this offset, behind everything written so far, and returns its size in
  // bytes. Holds at most two tensors in memory, or one if the foreign layout is the same as ours.
  std::uint64_t write(const MappedTensor& tensor, Element element, SequentialOutput& out,
                      std::uint64_t offset) const;

 private:
  // Returns tensor `own` of the parameter table as f32.
  std::vector<float> floats(std::size_t own) const;

  const state::CheckpointReader& from_;
  state::TensorKind kind_;
  arch::ModelConfig model_;
  arch::ParamTable table_;
  std::vector<MappedTensor> mapped_;
};

}  // namespace stagedtrain::hub
