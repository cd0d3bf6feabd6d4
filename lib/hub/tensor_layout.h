// Moving numbers between our tensors and a foreign layout.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "arch/param_table.h"
#include "hub/stored_tensors.h"
#include "hub/tensor_names.h"

namespace stagedtrain::hub {

// Rows and columns of a tensor; one with a single axis is a single column.
struct Matrix {
  std::int64_t rows = 0, columns = 1;
  explicit Matrix(const arch::ParamSpec& spec)
      : rows(spec.axes[0].size), columns(spec.axes.size() == 2 ? spec.axes[1].size : 1) {}
};

// Reads part `part` of a stored tensor that is mapped so, as f32 in our layout. Requires that
// stored.shape is mapped.shape. head_dim: rows of a head, for Layout::rotary.
void read_part(const StoredTensor& stored, const MappedTensor& mapped, std::size_t part,
               const Matrix& matrix, std::int64_t head_dim, std::span<float> out);

// The foreign tensor of these parts (in f32, ours), which have at least the rows that are needed.
std::vector<float> stack_parts(const MappedTensor& mapped,
                               const std::vector<std::span<const float>>& parts,
                               const Matrix& matrix, std::int64_t head_dim);

}  // namespace stagedtrain::hub
