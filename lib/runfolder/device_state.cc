// Moves the tensors of a training state between checkpoints, host and device, one at a time.
#include "runfolder/device_state.h"

#include <algorithm>

#include "apply/apply.h"
#include "base/error.h"
#include "checkpoint/layout.h"
#include "grow/operator.h"
#include "io/given_back.h"
#include "schedule/yaml.h"
#include "state/finite.h"

namespace stagedtrain::train {
namespace {

DeviceState make_live(state::StateHeader header, const model::ModelOptions& asked) {
  DeviceState live{std::move(header), nullptr, asked, {}, {}};
  model::ModelOptions options = asked;
  if (live.header.mask.steps > 0) {
    if (options.device.is_cuda()) options.kernels = model::Kernels::reference;
    live.before_mask = model_before_mask(live.header);
  }
  live.model = model::make_model(live.header.model, options);
  show_through_mask(live, live.header.progress.step);
  live.model->params().set_histories(live.header.histories);
  if (live.header.ema) live.model->params().keep_ema();
  return live;
}

// Copies a tensor from a file, as far as this process holds it. Blocks of the file of which it
// holds nothing are not read.
void read_held(const state::CheckpointReader& reader, state::TensorKind kind, std::size_t index,
               model::ParamBuffer& params) {
  if (!params.shards()) return params.set(kind, index, reader.view(kind, index));
  const std::int64_t count = params.table()[index].count(), item = params.weights().element_size();
  const auto step = static_cast<std::int64_t>(state::kBlockBytes) / item;
  for (std::int64_t begin = 0; begin < count; begin += step)
    if (params.holds(kind, index, begin, std::min(count, begin + step)))
      params.set_part(kind, index, begin,
                      reader.view_block(kind, index, static_cast<std::uint64_t>(begin / step)));
}

void load_adapters(const state::CheckpointReader& reader, DeviceState& live) {
  live.adapters = std::make_unique<Adapters>(live.header.adapters, live.model->params(), 0);
  for (std::size_t i = 0; i < live.adapters->num_stored(); ++i)
    live.adapters->set_stored(i, reader.view_adapter(i));
}

void save_adapters(DeviceState& live, state::CheckpointWriter& writer) {
  at::Tensor buffer;
  for (std::size_t i = 0; i < live.adapters->num_stored(); ++i) {
    const std::span<const std::byte> bytes = live.adapters->get(i, buffer);
    if (!state::all_finite(bytes, live.header.dtype))
      throw make_error(ErrorKind::diverged,
                       "stage {}, step {}: diverged: an adapter has a number that is not finite",
                       live.header.progress.stage, live.header.progress.step);
    writer.write_adapter(i, bytes);
  }
}

}  // namespace

// The lineage stores the operators as they were written. The recipe can be made from them again, so
// the state need not store one more model.
arch::ModelConfig model_before_mask(const state::StateHeader& header) {
  const auto refused = [](const std::string& found) {
    return input_error(
        "mask: is still rising, but the newest growth of the lineage is {}, expected one that ends "
        "in the operator mask and makes this model",
        found);
  };
  if (header.lineage.empty()) throw refused("none");
  const state::LineageEntry& last = header.lineage.back();
  try {
    const Tree list = schedule::parse_yaml("[" + last.operators + "]", "lineage");
    const grow::GrowthRecipe recipe = grow::make_recipe(list, last.model, "lineage");
    if (recipe.to == header.model && recipe.steps.back().mask_steps > 0)
      return recipe.steps.back().from;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
  }
  throw refused(last.operators);
}

void show_through_mask(DeviceState& live, std::int64_t step) {
  const state::MaskRamp& mask = live.header.mask;
  if (mask.steps == 0) return;
  const double visible = static_cast<double>(step - mask.start) / static_cast<double>(mask.steps);
  live.model->set_mask({*live.before_mask, std::clamp(visible, 0.0, 1.0)});
}

void end_mask(DeviceState& live) {
  live.header.mask = {};
  DeviceState bare = make_live(live.header, live.options);
  at::Tensor buffer;
  for (const state::TensorKind kind : live.header.kinds())
    for (std::size_t i = 0; i < bare.model->params().table().size(); ++i)
      bare.model->params().set(kind, i, live.model->params().get(kind, i, buffer));
  bare.model->weights_changed();
  live.model = std::move(bare.model);
}

DeviceState fresh_live(const arch::ModelConfig& config, std::uint64_t seed,
                       const model::ModelOptions& options) {
  state::StateHeader header{.model = config,
                            .dtype = state_dtype(options.precision),
                            .histories = state::fresh_histories(config),
                            .seed = seed};
  header.data.seed = seed;
  DeviceState live = make_live(std::move(header), options);
  model::ParamBuffer& params = live.model->params();
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const state::HostTensor weight =
        state::fresh_weight(params.table()[i], seed, live.header.dtype);
    params.set(state::TensorKind::weights, i, weight.bytes());
  }
  live.model->weights_changed();
  return live;
}

void load_tensors(const state::CheckpointReader& reader, std::span<const state::TensorKind> kinds,
                  model::Model& model) {
  for (const state::TensorKind kind : kinds)
    for (std::size_t i = 0; i < reader.table().size(); ++i) {
      read_held(reader, kind, i, model.params());
      reader.release(kind, i);
    }
  model.weights_changed();
}

DeviceState load_live(const Path& path, const model::ModelOptions& options) {
  const state::CheckpointReader reader(path);
  if (reader.header().dtype != state_dtype(options.precision))
    throw usage_error("{}: holds {}, expected {} for this precision", path.string(),
                      dtype_name(reader.header().dtype), dtype_name(state_dtype(options.precision)))
        .with_hint(
            "fp64 and the other precisions store different types; use the precision that it was "
            "made with");
  DeviceState live = make_live(reader.header(), options);
  load_tensors(reader, reader.header().kinds(), *live.model);
  if (!live.header.adapters.none()) load_adapters(reader, live);
  return live;
}

void begin_adapters(DeviceState& live, arch::AdapterSet set) {
  set.start = live.header.progress.step;
  model::ParamBuffer& params = live.model->params();
  live.adapters = std::make_unique<Adapters>(set, params, live.header.seed);
  for (const std::size_t i : live.adapters->matrices()) {
    live.header.histories[i].age = {.start = set.start};
    for (const at::Tensor& flat : {params.exp_avg(), params.exp_avg_sq()}) {
      const at::Tensor moment = params.view(flat, i).zero_();
      if (moment.is_cpu()) give_back(moment.data_ptr(), moment.nbytes());
    }
  }
  live.header.adapters = std::move(set);
}

void end_adapters(DeviceState& live) {
  live.adapters.reset();
  live.header.adapters = {};
}

void average_from_now_on(DeviceState& live) {
  live.header.ema = true;
  live.model->params().keep_ema();
}

void refuse_not_finite(const DeviceState& live, state::TensorKind kind, std::size_t index) {
  const state::Progress& at = live.header.progress;
  throw make_error(ErrorKind::diverged,
                   "stage {}, step {}: diverged: {} of {} has a number that is not finite",
                   at.stage, at.step, kind_name(kind), live.model->params().table()[index].name);
}

void save_live(const Path& path, DeviceState& live) {
  state::CheckpointWriter writer(path, live.header);
  model::ParamBuffer& params = live.model->params();
  for (const state::TensorKind kind : live.header.kinds())
    for (std::size_t i = 0; i < params.table().size(); ++i) {
      const auto buffer = std::make_shared<at::Tensor>();
      const std::span<const std::byte> bytes = params.get(kind, i, *buffer);
      if (!state::all_finite(bytes, live.header.dtype)) refuse_not_finite(live, kind, i);
      writer.write(kind, i, bytes, buffer);
    }
  if (live.adapters) save_adapters(live, writer);
  writer.commit();
}

DeviceState grow_live(const grow::GrowthRecipe& recipe, DeviceState from, const std::string& source,
                      const std::string& source_crc) {
  DeviceState to =
      make_live(grow::grown_header(recipe, from.header, source, source_crc), from.options);
  at::Tensor buffer;
  const grow::StateView view = [&](state::TensorKind kind, std::size_t i) {
    return from.model->params().get(kind, i, buffer);
  };
  grow::grow_tensors(recipe, from.header.dtype, from.header.kinds(), view,
                     [&](state::TensorKind kind, std::size_t i, std::span<const std::byte> bytes) {
                       to.model->params().set(kind, i, bytes);
                     });
  to.model->weights_changed();
  return to;
}

}  // namespace stagedtrain::train
