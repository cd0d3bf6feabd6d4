// Making the larger state: the very function of the `grow` command and of the trainer.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "grow/fill.h"
#include "state/checkpoint.h"

namespace stagedtrain::grow {

// Reads a tensor of the state that grows.
using StateView = std::function<std::span<const std::byte>(state::Kind, std::size_t)>;

// A tensor of the larger state: made, or, where it is a plain copy, the source's own bytes.
struct MadeTensor {
  std::span<const std::byte> bytes;  // of `own`, if that holds any
  state::HostTensor own;
  bool of_source = false;  // bytes are what StateView gave: valid for as long as those are
  operator std::span<const std::byte>() const { return bytes; }
};

// Makes every tensor of the larger state, kind after kind, and hands each to `use` before the next
// is made; polls for a stop request. At most one tensor for each operator is in memory, besides
// those that `use` keeps. Bytes that are not the tensor's own stay until `use` returns.
using TensorUse = std::function<void(state::Kind, std::size_t, MadeTensor)>;
void grow_tensors(const GrowthRecipe& recipe, state::DType dtype, const StateView& source,
                  const TensorUse& use);

// Everything but the tensors: the larger model, histories, the lineage. source and source_crc name
// the ancestor. What further states cost is added to the FLOPs and seconds.
state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc);

// The larger state; operator after operator, each tensor freed after its last use.
state::TrainingState apply(const GrowthRecipe& recipe, state::TrainingState from,
                           const std::string& source = "in memory",
                           const std::string& source_crc = "");

// The same from file to file; polls for a stop request. While a tensor is checksummed and written
// the next one is made: two of the larger state's tensors are in memory at most, beside one for
// each further operator and the pages of the source that are being read.
void apply_file(const GrowthRecipe& recipe, const state::CheckpointReader& from,
                const Path& source_path, const Path& target, Replace replace = Replace::yes);

}  // namespace stagedtrain::grow
