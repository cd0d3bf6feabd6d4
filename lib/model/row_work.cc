// Chooses how the work on rows is cut into chunks and pieces, by measurements (bench/README.md).
#include "model/row_work.h"

#include <ATen/Parallel.h>

namespace stagedtrain::model {
namespace {

constexpr std::int64_t kWide = 400'000;  // in floats; larger weights do not stay in the cache
// The rows of a chunk: a multiple of the tile height on every processor, and small enough that a
// chunk's results fit into the second-level cache. Since it does not depend on the number of
// threads, neither does the order of any sum over rows.
constexpr std::int64_t kChunkRows = 96;
constexpr std::int64_t kGrain = kernels::kPackGrain;

// The size of a piece of a weight that is packed at once, which fits into the second-level cache,
// and the least number of rows for which packing it is worthwhile.
constexpr std::int64_t kPieceDepth = 1024, kPieceColumns = 64, kPieceRows = 96;

std::int64_t parts_of(std::int64_t size, std::int64_t part) { return (size + part - 1) / part; }

// Returns into how many parts to cut the other dimension so that every worker gets about two units.
// Parts have a size of at least `smallest`.
std::int64_t other_parts(std::int64_t parts, std::int64_t size, std::int64_t smallest) {
  return std::clamp<std::int64_t>(parts_of(2 * num_workers(), parts), 1,
                                  std::max<std::int64_t>(1, size / smallest));
}

kernels::Factor piece_of(const Weight& w, std::int64_t p, std::int64_t column) {
  const kernels::Factor& f = w.factor;
  return {f.transposed ? f.data + column * f.stride + p : f.data + p * f.stride + column, f.stride,
          f.transposed};
}

// Multiplies a range of rows by a range of columns of a weight that is not packed yet.
void multiply_piece(const Weight& w, const kernels::PackedProduct& product, Range rows,
                    Range columns, float* scratch) {
  for (std::int64_t first = 0; first < w.depth; first += kPieceDepth) {
    kernels::PackedProduct p = product;
    const bool last = first + kPieceDepth >= w.depth;
    p.depth = last ? w.depth - first : kPieceDepth;
    p.columns = columns.end - columns.begin;
    p.a += first;
    p.packed = scratch;
    p.c += columns.begin;
    p.add = first > 0;
    p.bias = first == 0 && p.bias ? p.bias + columns.begin : nullptr;
    p.gelu = last && p.gelu ? p.gelu + columns.begin : nullptr;
    kernels::pack(piece_of(w, first, columns.begin), p.depth, 0, p.columns, scratch);
    kernels::multiply(p, rows.begin, rows.end);
  }
}

}  // namespace

std::int64_t num_workers() {
  return at::in_parallel_region() ? 1 : static_cast<std::int64_t>(at::get_num_threads());
}

std::int64_t product_scratch() {
  return std::max(kPieceDepth * kPieceColumns, kernels::outer_product_scratch());
}

std::int64_t chunks_of(std::int64_t rows) { return parts_of(rows, kChunkRows); }

RowPlan plan_rows(std::int64_t rows, std::int64_t largest_weight, const ProductBuffers& buffers) {
  return {rows, chunks_of(rows), largest_weight >= kWide, buffers};
}

Weight PhaseWeights::add(Weight weight) {
  if (plan_.wide) return weight;
  weight.packed = plan_.buffers.packed + used_;
  used_ += kernels::packed_size(weight.depth, weight.columns);
  weights_.push_back(weight);
  return weight;
}

void PhaseWeights::pack() const {
  std::vector<std::int64_t> ends;
  std::int64_t units = 0;
  for (const Weight& w : weights_) ends.push_back(units += parts_of(w.columns, kGrain));
  for_units(units, [&](std::int64_t unit, std::int64_t) {
    const auto at =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), unit) - ends.begin());
    const Weight& w = weights_[at];
    const std::int64_t begin = (unit - (at > 0 ? ends[at - 1] : 0)) * kGrain;
    kernels::pack(w.factor, w.depth, begin, std::min(w.columns, begin + kGrain),
                  const_cast<float*>(w.packed));
  });
}

void RowWork::multiply(const Weight& weight, const float* x, float* y, const Finish& finish) const {
  const kernels::PackedProduct product{
      weight.depth,   weight.columns, x,     weight.depth, weight.packed, y,
      weight.columns, finish.scale,   false, finish.bias,  finish.gelu};
  if (weight.packed) return kernels::multiply(product, rows_.begin, rows_.end);
  const std::int64_t rows = rows_.end - rows_.begin;
  const std::int64_t across = parts_of(weight.columns, kPieceColumns);
  const std::int64_t down = other_parts(across, rows, kPieceRows);
  for_units(across * down, [&](std::int64_t i, std::int64_t worker) {
    const Range part = part_of(rows, down, 1, i % down);
    const std::int64_t column = i / down * kPieceColumns;
    multiply_piece(weight, product, {rows_.begin + part.begin, rows_.begin + part.end},
                   {column, std::min(weight.columns, column + kPieceColumns)},
                   plan_.buffers.scratch + worker * plan_.buffers.scratch_stride);
  });
}

void add_weight_gradients(const ProductBuffers& buffers,
                          std::span<const kernels::OuterProduct> products) {
  struct Unit {
    const kernels::OuterProduct* product;
    Range outs, ins;
  };
  std::vector<Unit> units;
  for (const kernels::OuterProduct& p : products) {
    if (p.dw == nullptr) continue;
    const std::int64_t across = parts_of(p.ins, kernels::kMostIns);
    const std::int64_t down = other_parts(across, p.outs, kPieceRows);
    for (std::int64_t i = 0; i < across * down; ++i)
      units.push_back(
          {&p, part_of(p.outs, down, 24, i % down), part_of(p.ins, across, kGrain, i / down)});
  }
  for_units(static_cast<std::int64_t>(units.size()), [&](std::int64_t i, std::int64_t worker) {
    const Unit& u = units[static_cast<std::size_t>(i)];
    kernels::add_outer_product(*u.product, {u.outs.begin, u.outs.end}, {u.ins.begin, u.ins.end},
                               buffers.scratch + worker * buffers.scratch_stride);
  });
}

}  // namespace stagedtrain::model
