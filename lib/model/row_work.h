// Work on the rows of a batch, shared among threads: in chunks that go through many steps, or
// whole.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "model/gemm.h"

namespace stagedtrain::model {

// As many as LibTorch's own kernels use (at::set_num_threads); 1 within a parallel region.
std::int64_t num_workers();

// work(unit, worker) for units [0, count): each on one thread, worker < num_workers() at a time.
// Who does which unit is left to chance, so that a thread that is held up holds up nobody else;
// what a unit computes must not depend on it.
template <class Work>
void for_units(std::int64_t count, const Work& work) {
  const int workers = static_cast<int>(std::min(num_workers(), count));
  if (workers <= 1) {
    for (std::int64_t unit = 0; unit < count; ++unit) work(unit, 0);
    return;
  }
#pragma omp parallel for num_threads(workers) schedule(dynamic, 1)
  for (std::int64_t unit = 0; unit < count; ++unit) work(unit, omp_get_thread_num());
}

struct Range {
  std::int64_t begin, end;
};
// Part i of [0, size) cut into parts of equal size but for the last ones; cuts lie at multiples of
// grain.
inline Range part_of(std::int64_t size, std::int64_t parts, std::int64_t grain, std::int64_t i) {
  const std::int64_t grains = (size + grain - 1) / grain;
  return {std::min(size, grains * i / parts * grain),
          std::min(size, grains * (i + 1) / parts * grain)};
}

// How the rows of a batch are worked on. Chunked: each thread takes a chunk of rows through all
// steps of a phase, and what one step leaves is in the cache for the next. Wide, where weights are
// too large to be read again for every chunk: step by step, each shared among all threads.
struct RowPlan {
  std::int64_t rows = 0, parts = 0;  // parts: chunks, or parts of a kernel's rows where wide
  bool wide = false;
};
// largest_weight: floats of the largest weight that a phase reads.
RowPlan plan_rows(std::int64_t rows, std::int64_t largest_weight);

// The rows that one phase's body works on, and its steps. Pointers are to row 0 of the batch.
class RowWork {
 public:
  RowWork(Range rows, std::int64_t part, std::int64_t shares)
      : rows_(rows), part_(part), shares_(shares) {}

  // y = scale x w^T, w (out, in).
  void linear(const float* x, std::int64_t in, const float* w, std::int64_t out, float* y,
              float scale = 1) const;
  // dx = scale dy w.
  void input_gradient(const float* dy, std::int64_t out, const float* w, std::int64_t in, float* dx,
                      float scale = 1) const;
  // kernel(begin, end, part) over the rows; part numbers the partial sums of a batch.
  template <class Kernel>
  void each(const Kernel& kernel) const {
    if (shares_ <= 1) return kernel(rows_.begin, rows_.end, part_);
    for_units(shares_, [&](std::int64_t i, std::int64_t) {
      const Range share = part_of(rows_.end - rows_.begin, shares_, 1, i);
      if (share.begin < share.end)
        kernel(rows_.begin + share.begin, rows_.begin + share.end, part_ + i);
    });
  }

 private:
  // tile(rows, columns) over a grid that covers [rows_] x [0, columns).
  template <class Tile>
  void tiles(std::int64_t columns, const Tile& tile) const;
  Range rows_;
  std::int64_t part_, shares_;
};

// body(RowWork) over all rows of the batch.
template <class Body>
void for_rows(const RowPlan& plan, const Body& body) {
  if (plan.wide) return body(RowWork({0, plan.rows}, 0, plan.parts));
  for_units(plan.parts, [&](std::int64_t i, std::int64_t) {
    const Range chunk = part_of(plan.rows, plan.parts, 1, i);
    if (chunk.begin < chunk.end) body(RowWork(chunk, i, 1));
  });
}

// dw += scale dy^T x over all rows, shared among threads by rows of dw; several at once.
struct WeightGradient {
  const float* dy;
  std::int64_t out;
  const float* x;
  std::int64_t in;
  float* dw;
  float scale = 1;
};
void add_weight_gradients(std::int64_t rows, std::initializer_list<WeightGradient> products);

}  // namespace stagedtrain::model
