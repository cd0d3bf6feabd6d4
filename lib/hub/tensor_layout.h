// How numbers are converted between our tensors and a foreign layout.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "arch/param_table.h"
#include "hub/tensor_names.h"
#include "modelfiles/stored_tensors.h"

namespace stagedtrain::hub {

// Rows and columns of a tensor. A tensor with one axis is a single column.
struct Matrix {
  std::int64_t rows = 0, columns = 1;
  explicit Matrix(const arch::ParamSpec& spec)
      : rows(spec.axes[0].size), columns(spec.axes.size() == 2 ? spec.axes[1].size : 1) {}
};

// Reads part `part` of a stored tensor as f32 in our layout. Requires stored.shape == mapped.shape.
// head_dim is the number of rows per head, for Layout::rotary and Layout::by_head.
void read_part(const StoredTensor& stored, const MappedTensor& mapped, std::size_t part,
               const Matrix& matrix, std::int64_t head_dim, std::span<float> out);

// Returns the foreign tensor, in f32, that stacks these parts, which are in our layout. Extra rows
// of a part are left out.
std::vector<float> stack_parts(const MappedTensor& mapped,
                               const std::vector<std::span<const float>>& parts,
                               const Matrix& matrix, std::int64_t head_dim);

}  // namespace stagedtrain::hub
