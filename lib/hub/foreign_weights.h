// The weights of a checkpoint in a foreign layout, written one tensor at a time.
#pragma once

#include <vector>

#include "hub/safetensors.h"
#include "hub/tensor_names.h"
#include "state/checkpoint.h"

namespace stagedtrain::hub {

class ForeignWeights {
 public:
  // model: that of the checkpoint with perhaps a smaller vocabulary, whose further rows are left
  // out. logit_scale is folded into the final norm. from outlives this. Throws Error(usage) as
  // map_tensors does.
  ForeignWeights(const state::CheckpointReader& from, const NameTable& names,
                 const arch::ModelConfig& model);
  const std::vector<MappedTensor>& tensors() const { return mapped_; }
  // Writes one tensor at this place and returns its bytes. At most two tensors are in memory, and
  // one where it is laid out as ours is.
  std::uint64_t write(const MappedTensor& tensor, Element element, OutputFile& out,
                      std::uint64_t offset) const;

 private:
  std::vector<float> floats(std::size_t own) const;

  const state::CheckpointReader& from_;
  arch::ModelConfig model_;
  arch::ParamTable table_;
  std::vector<MappedTensor> mapped_;
};

}  // namespace stagedtrain::hub
