// Work on the rows of a batch, shared among threads: in chunks that go through many steps, or
// whole.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "kernels/packed_product.h"

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

// Memory for products: the packed weights of one phase, and scratch of scratch_stride floats for
// each worker, at least product_scratch().
struct ProductRoom {
  float* packed = nullptr;
  float* scratch = nullptr;
  std::int64_t scratch_stride = 0;
};
std::int64_t product_scratch();

// Rows are cut at multiples of it: whole tiles of every processor's.
inline constexpr std::int64_t kTileGrain = 24;

// How the rows of a batch are worked on. Chunked: each thread takes a chunk of rows through all
// steps of a phase, and what one step leaves is in the cache for the next; weights are packed
// before. Wide, where weights are too large to be read again for every chunk: step by step, each
// shared among all threads, which pack pieces of the weights as they go.
// Parts are the same for every number of threads, and so are the results, to the bit.
struct RowPlan {
  std::int64_t rows = 0, parts = 0;  // parts: chunks, or parts of a kernel's rows where wide
  bool wide = false;
  ProductRoom room;
};
// largest_weight: floats of the largest weight that a phase reads.
RowPlan plan_rows(std::int64_t rows, std::int64_t largest_weight, const ProductRoom& room = {});

// A weight as a phase's rows are multiplied by it.
struct Weight {
  kernels::Factor factor;
  std::int64_t depth, columns;
  const float* packed;  // null: packed piece by piece at its use
};

// The weights of one phase. Each is (out, in), row-major; first all are named, then pack().
class PhaseWeights {
 public:
  explicit PhaseWeights(const RowPlan& plan) : plan_(plan) {}
  // For y = x w^T.
  Weight forward(const float* w, std::int64_t in, std::int64_t out) {
    return add({{w, in, true}, in, out, nullptr});
  }
  // For dx = dy w.
  Weight backward(const float* w, std::int64_t in, std::int64_t out) {
    return add({{w, in, false}, out, in, nullptr});
  }
  void pack() const;

 private:
  Weight add(Weight weight);
  const RowPlan& plan_;
  std::vector<Weight> weights_;
  std::int64_t used_ = 0;
};

// What else a product does to its result y, in this order.
struct Finish {
  float scale = 1;
  const float* bias = nullptr;  // [columns], added to every row; or null
  float* gelu = nullptr;        // gelu(y), beside y; or null
};

// The rows that one phase's body works on, and its steps. Pointers are to row 0 of the batch.
class RowWork {
 public:
  RowWork(const RowPlan& plan, Range rows, std::int64_t part, std::int64_t shares)
      : plan_(plan), rows_(rows), part_(part), shares_(shares) {}

  // y = x times the weight: x [R, depth], y [R, columns].
  void multiply(const Weight& weight, const float* x, float* y, const Finish& finish = {}) const;
  // kernel(begin, end, part) over the rows; part numbers the partial sums of a batch.
  template <class Kernel>
  void each(const Kernel& kernel) const {
    if (shares_ <= 1) return kernel(rows_.begin, rows_.end, part_);
    for_units(shares_, [&](std::int64_t i, std::int64_t) {
      const Range share = part_of(rows_.end - rows_.begin, shares_, kTileGrain, i);
      if (share.begin < share.end)
        kernel(rows_.begin + share.begin, rows_.begin + share.end, part_ + i);
    });
  }

 private:
  const RowPlan& plan_;
  Range rows_;
  std::int64_t part_, shares_;
};

// body(RowWork) over all rows of the batch.
template <class Body>
void for_rows(const RowPlan& plan, const Body& body) {
  if (plan.wide) return body(RowWork(plan, {0, plan.rows}, 0, plan.parts));
  for_units(plan.parts, [&](std::int64_t i, std::int64_t) {
    const Range chunk = part_of(plan.rows, plan.parts, kTileGrain, i);
    if (chunk.begin < chunk.end) body(RowWork(plan, chunk, i, 1));
  });
}

// dw += scale dy^T x over all rows, for several weights at once; where dw is null, nothing is made.
void add_weight_gradients(const ProductRoom& room,
                          std::initializer_list<kernels::OuterProduct> products);

}  // namespace stagedtrain::model
