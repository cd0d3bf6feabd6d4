// How are numbers converted between our tensors and a foreign layout?
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "arch/param_table.h"
#include "foreign/tensor_names.h"
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

// Returns the row of the foreign tensor that holds row `row` of part `part`. Not for
// Layout::transposed.
std::int64_t foreign_row(const MappedTensor& mapped, std::int64_t row, std::size_t part,
                         const Matrix& matrix, std::int64_t head_dim);

// Puts numbers of part `part`, which begin at its number `first`, where they belong in the whole
// foreign tensor, `out`, of Layout::transposed.
void transpose_into(std::span<const float> numbers, std::uint64_t first, std::size_t part,
                    const MappedTensor& mapped, const Matrix& matrix, std::span<float> out);

}  // namespace stagedtrain::hub
