// Computes the entries of one grown tensor from its blocks, or from maps (map_product.h).
//
// Blocks are filled in the order of their list, each one row by row on all cores. Entries that no
// block covers stay zero. A copy is multiplied by the block's scale. For exp_avg_sq, an average of
// squared gradients, it is multiplied by the square of the scale; `moments: copy` uses the scale as
// it is for both moments (state_rule.cc). Noise is scale * rms(source) * n(i), where the root mean
// square is taken over the whole source tensor, and n(i) depends on the stream and the index i of
// the entry alone.
//
// Invariant: the bits do not depend on the number of threads, on the order in which tensors are
// made, or on whether the source is in memory or in a file. So random numbers come from a counter,
// not from a generator with state, and every sum has a fixed order.
//
// Rejected: one task per block. Many tensors are a single block, and where there are thousands,
// they are small. Splitting the rows of each block among threads suits both cases.
#include "apply/fill.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "apply/map_product.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

using state::DType;
using state::HostTensor;
using state::TensorKind;

template <class T>
std::span<const T> values(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

// The number of entries that a thread processes at a time. Sums of squares are formed in pieces of
// this size for any number of threads.
constexpr std::int64_t kAtOnce = 1 << 18;

template <class T>
double sum_of_squares(std::span<const T> x) {
  std::array<double, 8> sums{};  // independent sums, so that additions overlap
  for (std::size_t i = 0; i < x.size(); ++i)
    sums[i % sums.size()] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

template <class T>
double root_mean_square(std::span<const T> x) {
  const auto count = static_cast<std::int64_t>(x.size());
  std::vector<double> sums(static_cast<std::size_t>((count + kAtOnce - 1) / kAtOnce));
  in_parallel(count, kAtOnce, [&](std::int64_t begin, std::int64_t end) {
    sums[static_cast<std::size_t>(begin / kAtOnce)] = sum_of_squares(
        x.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  });
  const double sum = std::accumulate(sums.begin(), sums.end(), 0.0);
  return x.empty() ? 0 : std::sqrt(sum / static_cast<double>(x.size()));
}

// A view of a tensor's entries in row-major order.
template <class T>
struct Matrix {
  std::span<T> values;
  std::int64_t columns;
  T* at(std::int64_t row, std::int64_t column) const {
    return values.data() + row * columns + column;
  }
};

// Computes the blocks of one target tensor.
template <class T>
class BlockFiller {
 public:
  // `squares`: the scales of copies are squared, because the result is an average of squares.
  BlockFiller(const arch::ParamTable& sources, TensorKind kind, bool squares,
              const SourceView& source, Matrix<T> target)
      : sources_(sources), kind_(kind), squares_(squares), source_(source), target_(target) {}

  void put(const TensorBlock& block) {
    switch (block.kind) {
      case TensorBlock::Kind::copy:
        return copy(block, read(block));
      case TensorBlock::Kind::mean_rows:
        return mean_rows(block, read(block));
      case TensorBlock::Kind::mean_columns:
        return mean_columns(block, read(block));
      case TensorBlock::Kind::slerp:
        return bend_halfway(block, read(block));
      case TensorBlock::Kind::noise:
        return random(block, block.scale * noise_size(block), true,
                      [](const CounterRng& rng, std::uint64_t i) { return rng.quick_normal(i); });
      case TensorBlock::Kind::normal:
        return random(block, block.scale, block.add,
                      [](const CounterRng& rng, std::uint64_t i) { return rng.normal(i); });
      case TensorBlock::Kind::constant:
        return for_each(block, [&](std::int64_t, std::int64_t) { return block.scale; });
    }
  }

 private:
  Matrix<const T> read(const TensorBlock& block) const {
    return {values<T>(source_(block.state, kind_, block.source)),
            corner_of(sources_[block.source])[1]};
  }

  // Returns the root mean square of the block's source. The last result is kept, because
  // consecutive blocks mostly have the same source.
  double noise_size(const TensorBlock& block) {
    if (block.source != sized_ || block.state != sized_state_) {
      size_ = root_mean_square(read(block).values);
      sized_ = block.source;
      sized_state_ = block.state;
    }
    return size_;
  }

  void copy(const TensorBlock& block, const Matrix<const T>& source) const {
    const double scale = squares_ ? block.scale * block.scale : block.scale;
    const T factor = static_cast<T>(scale);
    each_row(block, [&](std::int64_t r) {
      const T* in = source.at(block.from[0] + r, block.from[1]);
      T* out = target_.at(block.to[0] + r, block.to[1]);
      if (block.add) {
        for (std::int64_t c = 0; c < block.extent[1]; ++c) out[c] += factor * in[c];
      } else if (scale == 1) {
        std::copy_n(in, block.extent[1], out);
      } else {
        for (std::int64_t c = 0; c < block.extent[1]; ++c) out[c] = factor * in[c];
      }
    });
  }

  // Calls f(row) for each row of the block, counted from its corner, on all cores.
  template <class F>
  void each_row(const TensorBlock& block, F f) const {
    const std::int64_t rows = kAtOnce / std::max<std::int64_t>(block.extent[1], 1) + 1;
    in_parallel(block.extent[0], rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t r = begin; r < end; ++r) f(r);
    });
  }

  // Sets each entry to f(row, column), or adds that to it if the block is added. Rows and columns
  // count from the block's corner.
  template <class F>
  void for_each(const TensorBlock& block, F f) const {
    each_row(block, [&](std::int64_t r) {
      T* out = target_.at(block.to[0] + r, block.to[1]);
      for (std::int64_t c = 0; c < block.extent[1]; ++c)
        out[c] = static_cast<T>(f(r, c)) + (block.add ? out[c] : T{0});
    });
  }

  // Spherical interpolation halfway between a, what is there, and b, what the block reads. With the
  // angle t between them it is
  //   sin(t/2) / sin(t) (a + b) = (a + b) / sqrt(2 + 2 cos(t))
  // If a and b have the same length, the result has it too, whereas their mean would be shorter. If
  // one of them is zero or their directions are nearly opposite, no arc is defined, and the result
  // is their mean.
  void bend_halfway(const TensorBlock& block, const Matrix<const T>& source) const {
    const double cosine = cosine_with(block, source);
    const T factor = static_cast<T>(cosine > -0.9995 ? 1 / std::sqrt(2 + 2 * cosine) : 0.5);
    each_row(block, [&](std::int64_t r) {
      const T* in = source.at(block.from[0] + r, block.from[1]);
      T* out = target_.at(block.to[0] + r, block.to[1]);
      for (std::int64_t c = 0; c < block.extent[1]; ++c) out[c] = factor * (out[c] + in[c]);
    });
  }

  // Returns the cosine of the angle between what is there and what the block reads, or -1 if one of
  // them is zero. Sums are formed row by row, so they do not depend on the number of threads.
  double cosine_with(const TensorBlock& block, const Matrix<const T>& source) const {
    std::vector<std::array<double, 3>> rows(static_cast<std::size_t>(block.extent[0]));
    each_row(block, [&](std::int64_t r) {
      const T* in = source.at(block.from[0] + r, block.from[1]);
      const T* out = target_.at(block.to[0] + r, block.to[1]);
      for (std::int64_t c = 0; c < block.extent[1]; ++c) {
        const auto a = static_cast<double>(out[c]), b = static_cast<double>(in[c]);
        auto& [aa, ab, bb] = rows[static_cast<std::size_t>(r)];
        aa += a * a;
        ab += a * b;
        bb += b * b;
      }
    });
    double aa = 0, ab = 0, bb = 0;
    for (const auto& row : rows) {
      aa += row[0];
      ab += row[1];
      bb += row[2];
    }
    return aa == 0 || bb == 0 ? -1 : ab / std::sqrt(aa * bb);
  }

  void mean_rows(const TensorBlock& block, const Matrix<const T>& source) const {
    std::vector<double> mean(static_cast<std::size_t>(block.extent[1]), 0);
    for (std::int64_t r = 0; r < block.span; ++r) {
      const T* in = source.at(block.from[0] + r, block.from[1]);
      for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += static_cast<double>(in[c]);
    }
    const double scale = block.scale / static_cast<double>(block.span);
    for_each(block, [&](std::int64_t, std::int64_t c) {
      return scale * mean[static_cast<std::size_t>(c)];
    });
  }

  void mean_columns(const TensorBlock& block, const Matrix<const T>& source) const {
    std::vector<double> mean(static_cast<std::size_t>(block.extent[0]), 0);
    for (std::size_t r = 0; r < mean.size(); ++r) {
      const T* in = source.at(block.from[0] + static_cast<std::int64_t>(r), block.from[1]);
      for (std::int64_t c = 0; c < block.span; ++c) mean[r] += static_cast<double>(in[c]);
    }
    const double scale = block.scale / static_cast<double>(block.span);
    for_each(block, [&](std::int64_t r, std::int64_t) {
      return scale * mean[static_cast<std::size_t>(r)];
    });
  }

  // Sets each entry to size * number(rng, index), or adds that to it if `add` is set.
  template <class F>
  void random(const TensorBlock& block, double size, bool add, F number) const {
    const CounterRng rng(block.stream, 0);
    each_row(block, [&](std::int64_t r) {
      T* out = target_.at(block.to[0] + r, block.to[1]);
      const auto first =
          static_cast<std::uint64_t>((block.from[0] + r) * block.noise_columns + block.from[1]);
      for (std::int64_t c = 0; c < block.extent[1]; ++c) {
        const T value = static_cast<T>(size * number(rng, first + static_cast<std::uint64_t>(c)));
        out[c] = add ? out[c] + value : value;
      }
    });
  }

  const arch::ParamTable& sources_;
  TensorKind kind_;
  bool squares_;
  const SourceView& source_;
  Matrix<T> target_;
  std::size_t sized_ = static_cast<std::size_t>(-1), sized_state_ = 0;
  double size_ = 0;
};

template <class T>
void fill_as(HostTensor& out, const GrowthStep& step, std::size_t index,
             const arch::ParamSpec& target, const arch::ParamTable& sources, TensorKind kind,
             const SourceView& source) {
  const TensorRecipe& made = step.tensors[index];
  if (!made.products.empty() && is_value(kind)) {
    const SourceValues<T> read = [&](std::size_t i) { return values<T>(source(0, kind, i)); };
    for (const MapProduct& product : made.products)
      add_product<T>({product, step.maps, sources, corner_of(target)[1]}, read, out.as<T>());
    return;
  }
  const bool squares = kind == TensorKind::exp_avg_sq && !made.moments_copied;
  BlockFiller<T> filler(sources, kind, squares, source, {out.as<T>(), corner_of(target)[1]});
  for (const TensorBlock& block : blocks_of(made, kind)) {
    stop_point("growing");
    filler.put(block);
  }
}

}  // namespace

HostTensor fill(const GrowthStep& step, std::size_t index, const arch::ParamSpec& target,
                const arch::ParamTable& sources, TensorKind kind, DType dtype,
                const SourceView& source, Predictions& predictions) {
  if (step.tensors[index].prediction && is_value(kind))
    return predictions.take(step, index, target, kind, dtype, source);
  HostTensor out(dtype, target.shape());
  if (dtype == DType::f32) {
    fill_as<float>(out, step, index, target, sources, kind, source);
  } else {
    fill_as<double>(out, step, index, target, sources, kind, source);
  }
  return out;
}

const TensorBlock* plain_copy(const TensorRecipe& made, const arch::ParamSpec& target,
                              const arch::ParamTable& sources, TensorKind kind) {
  const std::vector<TensorBlock>& blocks = blocks_of(made, kind);
  if (blocks.size() != 1) return nullptr;
  const TensorBlock& block = blocks.front();
  const bool plain = block.kind == TensorBlock::Kind::copy && block.scale == 1 &&
                     block.extent == corner_of(target) &&
                     block.extent == corner_of(sources[block.source]);
  return plain ? &block : nullptr;
}

}  // namespace stagedtrain::grow
