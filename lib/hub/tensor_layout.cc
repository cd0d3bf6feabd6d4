// Stacks and transposes tensors, and reorders rotary rows.
#include "hub/tensor_layout.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"

namespace stagedtrain::hub {
namespace {

constexpr std::int64_t kRows = 64;  // rows transposed at a time

// Returns the row in ggml's order of a row in ours. Within a head of size d, row half * d/2 + i
// becomes row 2i + half (llama.cpp's conversion: reshape(heads, 2, d/2).swapaxes(1, 2)).
std::int64_t neighbour_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t head = row / head_dim, inside = row % head_dim, half = head_dim / 2;
  return head * head_dim + inside % half * 2 + inside / half;
}

// Returns where row `row` of part `part` is in a stack of `parts` tensors with `rows` rows each.
std::int64_t foreign_row(Layout layout, std::int64_t row, std::int64_t part, std::int64_t parts,
                         std::int64_t rows, std::int64_t head_dim) {
  if (layout == Layout::rotary) return part * rows + neighbour_row(row, head_dim);
  if (layout == Layout::by_head)
    return (row / head_dim * parts + part) * head_dim + row % head_dim;
  return part * rows + row;
}

std::span<const std::byte> numbers_of(const StoredTensor& stored, std::int64_t first,
                                      std::int64_t count) {
  const std::int64_t per_block = block_numbers(stored.element), bytes = block_bytes(stored.element);
  ST_CHECK(first % per_block == 0 && count % per_block == 0, "{} numbers at {} of {}", count, first,
           stored.name);
  return stored.bytes.subspan(static_cast<std::size_t>(first / per_block * bytes),
                              static_cast<std::size_t>(count / per_block * bytes));
}

// Fills out (rows, columns) from columns [first, first + rows) of a stored matrix (columns, wide).
void read_transposed(const StoredTensor& stored, std::int64_t first, std::int64_t wide,
                     const Matrix& matrix, std::span<float> out) {
  in_parallel(matrix.columns, kRows, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> rows(static_cast<std::size_t>((end - begin) * matrix.rows));
    for (std::int64_t c = begin; c < end; ++c)
      decode(stored.element, numbers_of(stored, c * wide + first, matrix.rows),
             std::span(rows).subspan(static_cast<std::size_t>((c - begin) * matrix.rows),
                                     static_cast<std::size_t>(matrix.rows)));
    for (std::int64_t r = 0; r < matrix.rows; ++r)
      for (std::int64_t c = begin; c < end; ++c)
        out[static_cast<std::size_t>(r * matrix.columns + c)] =
            rows[static_cast<std::size_t>((c - begin) * matrix.rows + r)];
  });
}

}  // namespace

void read_part(const StoredTensor& stored, const MappedTensor& mapped, std::size_t part,
               const Matrix& matrix, std::int64_t head_dim, std::span<float> out) {
  const std::int64_t first_row = static_cast<std::int64_t>(part) * matrix.rows;
  if (mapped.layout == Layout::transposed) {
    const auto parts = static_cast<std::int64_t>(mapped.own.size());
    return read_transposed(stored, first_row, parts * matrix.rows, matrix, out);
  }
  const auto bytes =
      numbers_of(stored, first_row * matrix.columns, matrix.rows * matrix.columns);
  if (mapped.layout == Layout::plain) return decode(stored.element, bytes, out);
  const auto parts = static_cast<std::int64_t>(mapped.own.size());
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    decode(stored.element,
           numbers_of(stored,
                      foreign_row(mapped.layout, row, static_cast<std::int64_t>(part), parts,
                                  matrix.rows, head_dim) *
                          matrix.columns,
                      matrix.columns),
           out.subspan(static_cast<std::size_t>(row * matrix.columns),
                       static_cast<std::size_t>(matrix.columns)));
}

std::vector<float> stack_parts(const MappedTensor& mapped,
                               const std::vector<std::span<const float>>& parts,
                               const Matrix& matrix, std::int64_t head_dim) {
  const auto size = static_cast<std::size_t>(matrix.rows * matrix.columns);
  const auto wide = static_cast<std::int64_t>(parts.size()) * matrix.rows;
  std::vector<float> out(size * parts.size());
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const std::span<const float> in = parts[part].first(size);
    const std::int64_t first = static_cast<std::int64_t>(part) * matrix.rows;
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
      const auto* from = in.data() + row * matrix.columns;
      if (mapped.layout == Layout::transposed) {
        for (std::int64_t c = 0; c < matrix.columns; ++c)
          out[static_cast<std::size_t>(c * wide + first + row)] = from[c];
        continue;
      }
      const std::int64_t to =
          foreign_row(mapped.layout, row, static_cast<std::int64_t>(part),
                      static_cast<std::int64_t>(parts.size()), matrix.rows, head_dim);
      std::copy_n(from, matrix.columns, out.begin() + to * matrix.columns);
    }
  }
  return out;
}

}  // namespace stagedtrain::hub
