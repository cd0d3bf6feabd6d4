// Stacks and transposes tensors, and reorders rotary rows.
#include "foreign/tensor_layout.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"

namespace stagedtrain::hub {
namespace {

constexpr std::int64_t kRows = 64;  // rows transposed at a time
constexpr std::size_t kTile = 16;   // rows of floats that fill a line of the cache

// Returns the row in ggml's order of a row in ours. Within a head of size d, row half * d/2 + i
// becomes row 2i + half (llama.cpp's conversion: reshape(heads, 2, d/2).swapaxes(1, 2)).
std::int64_t neighbour_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t head = row / head_dim, inside = row % head_dim, half = head_dim / 2;
  return head * head_dim + inside % half * 2 + inside / half;
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

std::int64_t foreign_row(const MappedTensor& mapped, std::int64_t row, std::size_t part,
                         const Matrix& matrix, std::int64_t head_dim) {
  const auto index = static_cast<std::int64_t>(part);
  const auto parts = static_cast<std::int64_t>(mapped.own.size());
  if (mapped.layout == Layout::rotary) return index * matrix.rows + neighbour_row(row, head_dim);
  if (mapped.layout == Layout::by_head)
    return (row / head_dim * parts + index) * head_dim + row % head_dim;
  return index * matrix.rows + row;
}

void read_part(const StoredTensor& stored, const MappedTensor& mapped, std::size_t part,
               const Matrix& matrix, std::int64_t head_dim, std::span<float> out) {
  const std::int64_t first_row = static_cast<std::int64_t>(part) * matrix.rows;
  if (mapped.layout == Layout::transposed) {
    const auto parts = static_cast<std::int64_t>(mapped.own.size());
    return read_transposed(stored, first_row, parts * matrix.rows, matrix, out);
  }
  const auto bytes = numbers_of(stored, first_row * matrix.columns, matrix.rows * matrix.columns);
  if (mapped.layout == Layout::plain) return decode(stored.element, bytes, out);
  for (std::int64_t row = 0; row < matrix.rows; ++row)
    decode(stored.element,
           numbers_of(stored, foreign_row(mapped, row, part, matrix, head_dim) * matrix.columns,
                      matrix.columns),
           out.subspan(static_cast<std::size_t>(row * matrix.columns),
                       static_cast<std::size_t>(matrix.columns)));
}

void transpose_into(std::span<const float> numbers, std::uint64_t first, std::size_t part,
                    const MappedTensor& mapped, const Matrix& matrix, std::span<float> out) {
  const auto columns = static_cast<std::size_t>(matrix.columns);
  const auto wide = mapped.own.size() * static_cast<std::size_t>(matrix.rows);
  const std::size_t before = part * static_cast<std::size_t>(matrix.rows);
  while (!numbers.empty()) {
    const std::size_t column = first % columns;
    const bool tile = column == 0 && numbers.size() >= kTile * columns;
    const std::size_t rows = tile ? kTile : 1;
    const std::size_t count = tile ? columns : std::min(numbers.size(), columns - column);
    float* const to = out.data() + column * wide + before + first / columns;
    for (std::size_t c = 0; c < count; ++c)
      for (std::size_t r = 0; r < rows; ++r) to[c * wide + r] = numbers[r * columns + c];
    numbers = numbers.subspan(rows * count);
    first += rows * count;
  }
}

}  // namespace stagedtrain::hub
