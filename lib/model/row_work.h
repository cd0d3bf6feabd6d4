// Distributes the work on the rows of a batch among threads.
//
// A phase is a sequence of steps, products and kernels, in which a row depends on its own row only.
// It runs in one of two ways:
// - Chunked: each thread takes a chunk of rows through all steps, so that the results of one step
//   are in the cache for the next. The weights of the phase are packed before, once for all chunks.
// - Wide, if weights are too large to be read again for every chunk: the steps run one after the
//   other. All threads share each of them, and pack pieces of the weights as they go.
//
// Invariant: the rows are cut into the same parts for any number of threads. Each part has partial
// sums of its own (kernels/partial_sums.h), and each element of a product is summed over its depth
// in order, by one thread. So the results have the same bits for any number of threads.
//
// Work is assigned to threads dynamically, so that a slow thread does not delay the others. Chunks
// of 48 to 512 rows, and no chunks at all, were within 3% of each other in speed (bench/README.md).
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "products/packed_product.h"

namespace stagedtrain::model {

// The number of threads: that of LibTorch (at::set_num_threads), or 1 within a parallel region.
std::int64_t num_workers();

// Calls work(unit, worker) for units [0, count). Each unit runs on one thread, and no two units run
// with the same worker < num_workers() at the same time. Units are assigned dynamically, so what a
// unit computes must not depend on its worker.
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
// Returns part i of [0, size) cut into `parts` nearly equal parts. Cuts are at multiples of grain.
inline Range part_of(std::int64_t size, std::int64_t parts, std::int64_t grain, std::int64_t i) {
  const std::int64_t grains = (size + grain - 1) / grain;
  return {std::min(size, grains * i / parts * grain),
          std::min(size, grains * (i + 1) / parts * grain)};
}

// Memory for products: the packed weights of one phase, and scratch_stride floats of scratch for
// each worker, at least product_scratch().
struct ProductBuffers {
  float* packed = nullptr;
  float* scratch = nullptr;
  std::int64_t scratch_stride = 0;
};
std::int64_t product_scratch();

// Rows are cut at multiples of this number, a multiple of the tile height on every processor.
inline constexpr std::int64_t kTileGrain = 24;

// How the rows of a batch are divided.
struct RowPlan {
  // parts: the number of chunks, or of parts of a kernel's rows if wide
  std::int64_t rows = 0, parts = 0;
  bool wide = false;
  ProductBuffers buffers;
};
// The number of chunks into which this number of rows is cut.
std::int64_t chunks_of(std::int64_t rows);
// largest_weight is the size of the largest weight of a phase, in floats.
RowPlan plan_rows(std::int64_t rows, std::int64_t largest_weight,
                  const ProductBuffers& buffers = {});

// A weight as the right-hand side of a product.
struct Weight {
  kernels::Factor factor;
  std::int64_t depth, columns;
  const float* packed;  // null: packed piece by piece during the product
};

// The weights of one phase, each of shape (out, in) and row-major. Declare all of them first, and
// then call pack(). The plan must outlive this object.
class PhaseWeights {
 public:
  explicit PhaseWeights(const RowPlan& plan) : plan_(plan) {}
  // For y = x w^T. stride: from one row of w to the next, if that is more than `in`.
  Weight forward(const float* w, std::int64_t in, std::int64_t out, std::int64_t stride = 0) {
    return add({{w, std::max(in, stride), true}, in, out, nullptr});
  }
  // For dx = dy w.
  Weight backward(const float* w, std::int64_t in, std::int64_t out, std::int64_t stride = 0) {
    return add({{w, std::max(in, stride), false}, out, in, nullptr});
  }
  void pack() const;

 private:
  Weight add(Weight weight);
  const RowPlan& plan_;
  std::vector<Weight> weights_;
  std::int64_t used_ = 0;
};

// What a product applies to its result y, in this order.
struct Finish {
  float scale = 1;
  const float* bias = nullptr;  // [columns], added to every row; or null
  float* gelu = nullptr;        // receives gelu(y); or null
};

// The rows that the body of a phase works on, and its steps. Pointers are to row 0 of the batch.
class RowWork {
 public:
  RowWork(const RowPlan& plan, Range rows, std::int64_t part, std::int64_t shares)
      : plan_(plan), rows_(rows), part_(part), shares_(shares) {}

  // Computes y = x times the weight, with x [R, depth] and y [R, columns].
  void multiply(const Weight& weight, const float* x, float* y, const Finish& finish = {}) const;
  // Calls kernel(begin, end, part) for ranges of the rows. part is the index of the partial sums.
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

// Calls body(RowWork) for all rows of the batch.
template <class Body>
void for_rows(const RowPlan& plan, const Body& body) {
  if (plan.wide) return body(RowWork(plan, {0, plan.rows}, 0, plan.parts));
  for_units(plan.parts, [&](std::int64_t i, std::int64_t) {
    const Range chunk = part_of(plan.rows, plan.parts, kTileGrain, i);
    if (chunk.begin < chunk.end) body(RowWork(plan, chunk, i, 1));
  });
}

// Adds scale dy^T x, summed over all rows, to dw of each product. Skips products whose dw is null.
void add_weight_gradients(const ProductBuffers& buffers,
                          std::span<const kernels::OuterProduct> products);
inline void add_weight_gradients(const ProductBuffers& buffers,
                                 std::initializer_list<kernels::OuterProduct> products) {
  add_weight_gradients(buffers, std::span(products.begin(), products.size()));
}

}  // namespace stagedtrain::model
