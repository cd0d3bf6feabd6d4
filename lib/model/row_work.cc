// How many chunks, which tiles: measured choices, see bench/README.md.
#include "model/row_work.h"

#include <ATen/Parallel.h>

#include "model/gemm.h"

namespace stagedtrain::model {
namespace {

constexpr std::int64_t kWide = 400'000;      // weights larger than this leave the cache too soon
constexpr std::int64_t kChunkRows = 128;     // a product of fewer rows is slow to begin
constexpr std::int64_t kFloatsPerRow = 512;  // rows that pay for reading so many floats of weight
constexpr std::int64_t kTileColumns = 256;   // a product of fewer columns likewise
constexpr std::int64_t kGrain = 16;          // floats of a cache line

}  // namespace

std::int64_t num_workers() {
  return at::in_parallel_region() ? 1 : static_cast<std::int64_t>(at::get_num_threads());
}

RowPlan plan_rows(std::int64_t rows, std::int64_t largest_weight) {
  const std::int64_t workers = num_workers();
  if (largest_weight >= kWide) return {rows, std::min(rows, workers), true};
  const std::int64_t chunk = std::max(kChunkRows, largest_weight / kFloatsPerRow);
  const std::int64_t rounds = std::max<std::int64_t>(1, rows / chunk / workers);
  return {rows, std::min(rows, rounds * workers), false};
}

template <class Tile>
void RowWork::tiles(std::int64_t columns, const Tile& tile) const {
  if (shares_ <= 1) return tile(rows_, Range{0, columns});
  const std::int64_t across = std::clamp<std::int64_t>(columns / kTileColumns, 1, shares_);
  const std::int64_t down = (shares_ + across - 1) / across;
  for_units(across * down, [&](std::int64_t i, std::int64_t) {
    const Range part = part_of(rows_.end - rows_.begin, down, 1, i / across);
    tile(Range{rows_.begin + part.begin, rows_.begin + part.end},
         part_of(columns, across, kGrain, i % across));
  });
}

void RowWork::linear(const float* x, std::int64_t in, const float* w, std::int64_t out, float* y,
                     float scale) const {
  tiles(out, [&](Range rows, Range columns) {
    product_nt({rows.end - rows.begin, columns.end - columns.begin, in, scale},
               {x + rows.begin * in, in}, {w + columns.begin * in, in}, 0,
               {y + rows.begin * out + columns.begin, out});
  });
}

void RowWork::input_gradient(const float* dy, std::int64_t out, const float* w, std::int64_t in,
                             float* dx, float scale) const {
  tiles(in, [&](Range rows, Range columns) {
    product_nn({rows.end - rows.begin, columns.end - columns.begin, out, scale},
               {dy + rows.begin * out, out}, {w + columns.begin, in}, 0,
               {dx + rows.begin * in + columns.begin, in});
  });
}

void add_weight_gradients(std::int64_t rows, std::initializer_list<WeightGradient> products) {
  const std::int64_t parts = num_workers();
  for_units(static_cast<std::int64_t>(products.size()) * parts, [&](std::int64_t i, std::int64_t) {
    const WeightGradient& p = products.begin()[i / parts];
    const Range part = part_of(p.out, parts, kGrain, i % parts);
    product_tn({part.end - part.begin, p.in, rows, p.scale}, {p.dy + part.begin, p.out},
               {p.x, p.in}, 1, {p.dw + part.begin * p.in, p.in});
  });
}

}  // namespace stagedtrain::model
