// Copying blocks, scaling, adding noise: in memory or from file to file.
#include "grow/apply.h"

#include <cmath>

#include "arch/architectures.h"
#include "base/rng.h"
#include "base/signals.h"

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
  for (T value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return x.empty() ? 0 : std::sqrt(sum / static_cast<double>(x.size()));
}

// source_columns and target_columns are the row lengths of the two tensors.
template <class T>
void copy_block(const BlockCopy& block, double scale, std::span<const T> source,
                std::int64_t source_columns, std::span<T> target, std::int64_t target_columns) {
  const T factor = static_cast<T>(scale);
  for (std::int64_t r = 0; r < block.extent[0]; ++r) {
    const T* in = source.data() + (block.from[0] + r) * source_columns + block.from[1];
    T* out = target.data() + (block.to[0] + r) * target_columns + block.to[1];
    if (scale == 1) {
      std::copy_n(in, block.extent[1], out);
    } else {
      for (std::int64_t c = 0; c < block.extent[1]; ++c) out[c] = factor * in[c];
    }
  }
}

template <class T>
void add_noise(const BlockCopy& block, double size, std::span<T> target,
               std::int64_t target_columns) {
  const CounterRng rng(block.noise_stream, 0);
  for (std::int64_t r = 0; r < block.extent[0]; ++r) {
    T* out = target.data() + (block.to[0] + r) * target_columns + block.to[1];
    for (std::int64_t c = 0; c < block.extent[1]; ++c) {
      const std::int64_t index = (block.from[0] + r) * block.noise_columns + block.from[1] + c;
      out[c] += static_cast<T>(size * rng.normal(static_cast<std::uint64_t>(index)));
    }
  }
}

// The size that a tensor's noise is relative to, kept for the blocks that follow.
class NoiseSize {
 public:
  template <class T>
  double of(std::size_t tensor, std::span<const T> values) {
    if (tensor != tensor_) {
      tensor_ = tensor;
      size_ = root_mean_square(values);
    }
    return size_;
  }

 private:
  std::size_t tensor_ = static_cast<std::size_t>(-1);
  double size_ = 0;
};

template <class T>
void fill(const std::vector<BlockCopy>& blocks, Kind kind, const arch::ParamTable& sources,
          const SourceView& source, std::span<T> target, std::int64_t target_columns) {
  NoiseSize size;
  for (const BlockCopy& block : blocks) {
    const auto in = values<T>(source(kind, block.source));
    if (block.noise_stream) {
      add_noise(block, block.scale * size.of(block.source, in), target, target_columns);
    } else {
      const double scale = kind == Kind::exp_avg_sq ? block.scale * block.scale : block.scale;
      copy_block(block, scale, in, corner_of(sources[block.source])[1], target, target_columns);
    }
  }
}

HostTensor make_tensor(const GrowthRecipe& recipe, const arch::ParamTable& sources,
                       const arch::ParamSpec& spec, std::size_t target, Kind kind, DType dtype,
                       const SourceView& source) {
  const TensorRecipe& made = recipe.tensors[target];
  const auto& blocks = kind == Kind::weights ? made.value : made.gradient;
  HostTensor out(dtype, spec.shape());
  if (dtype == DType::f32) {
    fill<float>(blocks, kind, sources, source, out.as<float>(), corner_of(spec)[1]);
  } else {
    fill<double>(blocks, kind, sources, source, out.as<double>(), corner_of(spec)[1]);
  }
  return out;
}

// How often each source tensor is still to be read, over the targets not yet made.
std::vector<int> count_uses(const GrowthRecipe& recipe, Kind kind, std::size_t sources) {
  std::vector<int> uses(sources, 0);
  for (const TensorRecipe& made : recipe.tensors)
    for (const BlockCopy& block : kind == Kind::weights ? made.value : made.gradient)
      ++uses[block.source];
  return uses;
}

}  // namespace

void grow_tensors(const GrowthRecipe& recipe, DType dtype, const SourceView& source,
                  const TensorUse& use) {
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  for (const Kind kind : state::kKinds)
    for (std::size_t i = 0; i < targets.size(); ++i) {
      stop_point("growing");
      use(kind, i, make_tensor(recipe, sources, targets[i], i, kind, dtype, source));
    }
}

state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc) {
  ST_CHECK(recipe.from == from.model, "recipe for {}, state of {}", describe(recipe.from),
           describe(from.model));
  state::StateHeader to = from;
  to.model = recipe.to;
  to.lineage.push_back({source, source_crc, recipe.operators, from.progress.step, from.model});
  to.moment_start.clear();
  for (const TensorRecipe& made : recipe.tensors) {
    const auto& blocks = made.gradient.empty() ? made.value : made.gradient;
    const bool reset = made.moments_reset || blocks.empty();
    to.moment_start.push_back(reset ? from.progress.step
                                    : from.moment_start[blocks.front().source]);
  }
  return to;
}

state::TrainingState apply(const GrowthRecipe& recipe, state::TrainingState from,
                           const std::string& source, const std::string& source_crc) {
  const arch::ParamTable sources = arch::param_table(recipe.from),
                         targets = arch::param_table(recipe.to);
  const state::StateHeader header = grown_header(recipe, header_of(from), source, source_crc);
  state::TrainingState to;
  to.model = header.model;
  to.moment_start = header.moment_start;
  to.progress = header.progress;
  to.data = header.data;
  to.seed = header.seed;
  to.lineage = header.lineage;
  to.run = header.run;
  const SourceView view = [&](Kind kind, std::size_t i) {
    return std::span<const std::byte>(from.of(kind)[i].bytes());
  };
  const DType dtype = from.of(Kind::weights)[0].dtype();
  for (Kind kind : state::kKinds) {
    std::vector<int> uses = count_uses(recipe, kind, sources.size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      to.of(kind).push_back(make_tensor(recipe, sources, targets[i], i, kind, dtype, view));
      const TensorRecipe& made = recipe.tensors[i];
      for (const BlockCopy& block : kind == Kind::weights ? made.value : made.gradient)
        if (--uses[block.source] == 0) from.of(kind)[block.source] = HostTensor();
    }
  }
  return to;
}

void apply_file(const GrowthRecipe& recipe, const state::CheckpointReader& from,
                const Path& source_path, const Path& target) {
  const SourceView view = [&](Kind kind, std::size_t i) { return from.view(kind, i); };
  state::CheckpointWriter writer(
      target, grown_header(recipe, from.header(), source_path.string(), from.identity()));
  grow_tensors(recipe, from.header().dtype, view,
               [&](Kind kind, std::size_t i, const HostTensor& made) {
                 writer.write(kind, i, made.bytes());
               });
  writer.commit();
}

}  // namespace stagedtrain::grow
