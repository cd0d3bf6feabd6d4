// Applies a recipe to a training state. The `grow` command and the trainer share this code.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "grow/fill.h"
#include "state/checkpoint.h"

namespace stagedtrain::grow {

// Reads a tensor of the state that grows.
using StateView = std::function<std::span<const std::byte>(state::Kind, std::size_t)>;

// A tensor of the larger state: newly made, or the source's own bytes if it is a plain copy.
struct MadeTensor {
  std::span<const std::byte> bytes;  // the bytes of `own`, if it holds any
  state::HostTensor own;
  bool of_source = false;  // bytes came from StateView and are valid as long as those
  operator std::span<const std::byte>() const { return bytes; }
};

// Makes every tensor of the larger state, kind by kind, and passes each to `use` before the next is
// made. Polls for a stop request. At most one tensor for each operator is in memory, besides those
// that `use` keeps. Bytes that the tensor does not own stay valid until `use` returns.
using TensorUse = std::function<void(state::Kind, std::size_t, MadeTensor)>;
void grow_tensors(const GrowthRecipe& recipe, state::DType dtype, const StateView& source,
                  const TensorUse& use);

// Returns everything except the tensors: the larger model, the histories, and the lineage with a
// new entry for this growth. source and source_crc name the ancestor. The FLOPs and seconds of
// further states are added to those of the state that grows.
state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc);

// Returns the larger state, made operator by operator. Each source tensor is freed after its last
// use.
state::TrainingState apply(const GrowthRecipe& recipe, state::TrainingState from,
                           const std::string& source = "in memory",
                           const std::string& source_crc = "");

// Grows a checkpoint into another one, and polls for a stop request. The next tensor is made while
// one is checksummed and written. So memory holds at most two tensors of the larger state, one for
// each further operator, and the pages of the source that are being read.
void apply_file(const GrowthRecipe& recipe, const state::CheckpointReader& from,
                const Path& source_path, const Path& target, Replace replace = Replace::yes);

}  // namespace stagedtrain::grow
