// How is a recipe applied to a training state, in memory or from file to file? The command `grow`
// and the trainer share this code.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "apply/fill.h"
#include "checkpoint/checkpoint.h"

namespace stagedtrain::grow {

// Returns the bytes of a tensor of the state that grows, by kind and index in its table.
using StateView = std::function<std::span<const std::byte>(state::TensorKind, std::size_t)>;

// A tensor of the larger state. Either `own` holds it, or it is a plain copy whose bytes belong to
// a source state.
struct MadeTensor {
  std::span<const std::byte> bytes;  // the values; the bytes of `own` unless that is empty
  state::HostTensor own;
  bool of_source = false;  // bytes came from the StateView and stay valid as long as it promises
  operator std::span<const std::byte>() const { return bytes; }
};

// Makes every tensor of these kinds of the larger state, kind by kind and in the order of the
// table, and passes each to `use` before the next one is made. Holds at most one tensor per
// operator in memory, besides those that `use` keeps and predicted matrices of new layers. Bytes
// that the tensor does not own are valid until `use` returns. Polls for a stop request. Throws
// Error(usage) if a further state does not match (see apply.cc).
using TensorUse = std::function<void(state::TensorKind, std::size_t, MadeTensor)>;
void grow_tensors(const GrowthRecipe& recipe, state::DType dtype,
                  std::span<const state::TensorKind> kinds, const StateView& source,
                  const TensorUse& use);

// Returns the header of the larger state: its model, its histories, and the lineage with a new
// entry for this growth. `source` and `source_crc`, the name and checksum of the state that grows,
// are recorded there. FLOPs and seconds of further states are added to those of the state that
// grows. Throws Error(usage) if the mask of a state still rises, or if a further state has another
// model, precision or other optimizer scales, or no average of the weights where the state that
// grows has one; Error(input) if one of their files is bad.
state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc);

// Returns the larger state, computed in memory one operator after the other. Each source tensor is
// freed after its last use. Throws as grown_header does.
state::TrainingState apply(const GrowthRecipe& recipe, state::TrainingState from,
                           const std::string& source = "in memory",
                           const std::string& source_crc = "");

// Grows the checkpoint `from`, whose path the lineage records, into a new checkpoint at `target`,
// which appears whole or not at all. The next tensor is made while one is checksummed and written,
// so memory holds at most two tensors of the larger state, one more for each further operator, and
// the pages of the source that are being read. Polls for a stop request. Throws as grown_header
// does, and what CheckpointWriter throws.
void apply_file(const GrowthRecipe& recipe, const state::CheckpointReader& from,
                const Path& source_path, const Path& target, Replace replace = Replace::yes);

}  // namespace stagedtrain::grow
