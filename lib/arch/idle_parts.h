// What does a step of training leave as it is?
#pragma once

#include <algorithm>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::arch {

// What ran in no pass of a step, or was not to be trained. The optimizer skips it: its weights and
// moments keep their bits, and it does not age.
struct IdleParts {
  std::vector<bool> layers;  // that ran in no pass; empty: none
  // How many hidden units of each layer's feed-forward, the first ones, ran in a pass; empty: all.
  std::vector<std::int64_t> ffn;
  // The tensors of the table that are not to be trained, whose gradients no pass computes; empty:
  // none.
  std::vector<bool> frozen;

  bool none() const { return layers.empty() && ffn.empty() && frozen.empty(); }
  bool is_idle_layer(std::int64_t layer) const {
    return layer >= 0 && !layers.empty() && layers[static_cast<std::size_t>(layer)];
  }
  bool is_frozen(std::size_t index) const { return !frozen.empty() && frozen[index]; }
  // Returns the hidden units that ran, of a tensor that has one row or column for each; else -1.
  std::int64_t units_of(const ParamSpec& spec) const {
    const bool has = std::ranges::find(spec.axes, Axis::ffn, &AxisSize::axis) != spec.axes.end();
    return has && spec.layer >= 0 && !ffn.empty() ? ffn[static_cast<std::size_t>(spec.layer)] : -1;
  }
  // Whether the entry (row, column) of a tensor ran in no pass. A tensor with one axis has one
  // column.
  bool is_idle(const ParamSpec& spec, std::int64_t row, std::int64_t column) const {
    if (is_idle_layer(spec.layer)) return true;
    const std::int64_t units = units_of(spec);
    return units >= 0 && (spec.axes[0].axis == Axis::ffn ? row : column) >= units;
  }
};

}  // namespace stagedtrain::arch
