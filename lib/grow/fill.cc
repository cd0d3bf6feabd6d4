// Copying, averaging, random numbers: row by row.
#include "grow/fill.h"

#include <cmath>

#include "base/rng.h"

namespace stagedtrain::grow {
namespace {

using state::DType;
using state::HostTensor;
using state::Kind;

template <class T>
std::span<const T> values(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

template <class T>
double root_mean_square(std::span<const T> x) {
  double sum = 0;
  for (const T value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return x.empty() ? 0 : std::sqrt(sum / static_cast<double>(x.size()));
}

// Row-major entries of a tensor.
template <class T>
struct Matrix {
  std::span<T> values;
  std::int64_t columns;
  T* at(std::int64_t row, std::int64_t column) const {
    return values.data() + row * columns + column;
  }
};

template <class T>
class BlockFiller {
 public:
  BlockFiller(const arch::ParamTable& sources, Kind kind, const SourceView& source,
              Matrix<T> target)
      : sources_(sources), kind_(kind), source_(source), target_(target) {}

  void put(const Block& block) {
    switch (block.kind) {
      case Block::Kind::copy:
        return copy(block, read(block));
      case Block::Kind::mean_rows:
        return mean_rows(block, read(block));
      case Block::Kind::mean_columns:
        return mean_columns(block, read(block));
      case Block::Kind::noise:
        return random(block, block.scale * noise_size(block), true);
      case Block::Kind::normal:
        return random(block, block.scale, block.add);
      case Block::Kind::constant:
        return for_each(block, [&](std::int64_t, std::int64_t) { return block.scale; });
    }
  }

 private:
  Matrix<const T> read(const Block& block) const {
    return {values<T>(source_(block.state, kind_, block.source)),
            corner_of(sources_[block.source])[1]};
  }

  // Copies that follow one another mostly have the same source.
  double noise_size(const Block& block) {
    if (block.source != sized_ || block.state != sized_state_) {
      size_ = root_mean_square(read(block).values);
      sized_ = block.source;
      sized_state_ = block.state;
    }
    return size_;
  }

  void copy(const Block& block, const Matrix<const T>& source) const {
    const double scale = kind_ == Kind::exp_avg_sq ? block.scale * block.scale : block.scale;
    const T factor = static_cast<T>(scale);
    for (std::int64_t r = 0; r < block.extent[0]; ++r) {
      const T* in = source.at(block.from[0] + r, block.from[1]);
      T* out = target_.at(block.to[0] + r, block.to[1]);
      if (block.add) {
        for (std::int64_t c = 0; c < block.extent[1]; ++c) out[c] += factor * in[c];
      } else if (scale == 1) {
        std::copy_n(in, block.extent[1], out);
      } else {
        for (std::int64_t c = 0; c < block.extent[1]; ++c) out[c] = factor * in[c];
      }
    }
  }

  // f(row, column) counts from the block's corner.
  template <class F>
  void for_each(const Block& block, F f) const {
    for (std::int64_t r = 0; r < block.extent[0]; ++r) {
      T* out = target_.at(block.to[0] + r, block.to[1]);
      for (std::int64_t c = 0; c < block.extent[1]; ++c)
        out[c] = static_cast<T>(f(r, c)) + (block.add ? out[c] : T{0});
    }
  }

  void mean_rows(const Block& block, const Matrix<const T>& source) const {
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

  void mean_columns(const Block& block, const Matrix<const T>& source) const {
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

  void random(const Block& block, double size, bool add) const {
    const CounterRng rng(block.stream, 0);
    for (std::int64_t r = 0; r < block.extent[0]; ++r) {
      T* out = target_.at(block.to[0] + r, block.to[1]);
      for (std::int64_t c = 0; c < block.extent[1]; ++c) {
        const std::int64_t index = (block.from[0] + r) * block.noise_columns + block.from[1] + c;
        const T number = static_cast<T>(size * rng.normal(static_cast<std::uint64_t>(index)));
        out[c] = add ? out[c] + number : number;
      }
    }
  }

  const arch::ParamTable& sources_;
  Kind kind_;
  const SourceView& source_;
  Matrix<T> target_;
  std::size_t sized_ = static_cast<std::size_t>(-1), sized_state_ = 0;
  double size_ = 0;
};

template <class T>
void fill_as(HostTensor& out, const std::vector<Block>& blocks, const arch::ParamSpec& target,
             const arch::ParamTable& sources, Kind kind, const SourceView& source) {
  BlockFiller<T> filler(sources, kind, source, {out.as<T>(), corner_of(target)[1]});
  for (const Block& block : blocks) filler.put(block);
}

}  // namespace

HostTensor fill(const TensorRecipe& made, const arch::ParamSpec& target,
                const arch::ParamTable& sources, Kind kind, DType dtype,
                const SourceView& source) {
  HostTensor out(dtype, target.shape());
  if (dtype == DType::f32) {
    fill_as<float>(out, blocks_of(made, kind), target, sources, kind, source);
  } else {
    fill_as<double>(out, blocks_of(made, kind), target, sources, kind, source);
  }
  return out;
}

const Block* plain_copy(const TensorRecipe& made, const arch::ParamSpec& target,
                        const arch::ParamTable& sources, Kind kind) {
  const std::vector<Block>& blocks = blocks_of(made, kind);
  if (blocks.size() != 1) return nullptr;
  const Block& block = blocks.front();
  const bool plain = block.kind == Block::Kind::copy && block.scale == 1 &&
                     block.extent == corner_of(target) &&
                     block.extent == corner_of(sources[block.source]);
  return plain ? &block : nullptr;
}

}  // namespace stagedtrain::grow
