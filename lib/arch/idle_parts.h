// What does a step of training leave as it is?
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stagedtrain::arch {

// What ran in no pass of a step, or was not to be trained. The optimizer skips it: its weights and
// moments keep their bits, and it does not age.
struct IdleParts {
  std::vector<bool> layers;  // that ran in no pass; empty: none
  // The tensors of the table that are not to be trained, whose gradients no pass computes; empty:
  // none.
  std::vector<bool> frozen;

  bool none() const { return layers.empty() && frozen.empty(); }
  bool is_idle_layer(std::int64_t layer) const {
    return layer >= 0 && !layers.empty() && layers[static_cast<std::size_t>(layer)];
  }
  bool is_frozen(std::size_t index) const { return !frozen.empty() && frozen[index]; }
};

}  // namespace stagedtrain::arch
