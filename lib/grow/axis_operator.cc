// Builds the step of a growth from its maps of axes and layers, and derives what it promises.
//
// The order of the three passes matters: tensor_by_axes makes every tensor as a copy of its source
// layer, apply_rule derives the moments from these blocks, and begin_layer then changes the weights
// of new layers. So `moments: copy` gives a silent layer the moments of the layer that it copies.
#include "grow/axis_operator.h"

#include <algorithm>
#include <utility>

#include "arch/routed_layers.h"
#include "base/error.h"
#include "base/rng.h"

namespace stagedtrain::grow {
namespace {

void check_blocks(const AxisGrowth& growth, const arch::ParamTable& targets) {
  for (const arch::ParamSpec& target : targets) {
    std::size_t blocks = 1;
    for (const arch::AxisSize& axis : target.axes) blocks *= growth.of(axis.axis).pieces.size();
    check_block_count(target.name, blocks);
  }
}

void check_identity(const arch::ParamTable& sources) {
  const bool biases = std::any_of(sources.begin(), sources.end(), [](const arch::ParamSpec& spec) {
    return spec.role == arch::Role::bias && spec.axes[0].axis == arch::Axis::ffn;
  });
  if (!biases)
    throw usage_error(
        "new_layers: found identity, expected another choice: the feed-forwards of this model have "
        "no biases, so all gradients of such layers are zero and they would never train")
        .with_hint("use zero_output");
}

// A model without layers has nothing that new layers could copy.
void check_sources(const WholeGrowth& growth) {
  const auto from_nothing = [](const LayerSource& layer) { return layer.layer == kNoLayer; };
  if (growth.new_layers.kind == NewLayers::random ||
      std::ranges::none_of(growth.layers, from_nothing))
    return;
  throw usage_error(
      "found a source without layers, expected new_layers: random, because there is "
      "no layer to copy")
      .with_hint("use --operator depth --layers N --new_layers random");
}

// Returns the recipe of a tensor as a copy of its source layer; nothing if it has none.
TensorRecipe copy_of_source(const AxisGrowth& axes, const GrowthContext& context,
                            const arch::ParamSpec& target, const LayerSource& layer) {
  if (layer.layer == kNoLayer) return {};
  const std::int64_t source = context.sources.index(source_name(target, layer));
  ST_CHECK(source >= 0, "{}: the smaller model has no such tensor", target.name);
  return tensor_by_axes(axes, target, context.sources, static_cast<std::size_t>(source),
                        context.from.tied);
}

// Returns the values that the tensor would have as a copy of the layer above its source, if new
// layers start between the two (mean, slerp); nothing otherwise, or if the source is the top layer.
std::vector<TensorBlock> values_above(const WholeGrowth& growth, const GrowthContext& context,
                                      const arch::ParamSpec& target, LayerSource layer) {
  const bool between =
      growth.new_layers.kind == NewLayers::mean || growth.new_layers.kind == NewLayers::slerp;
  if (!layer.is_new || !between || arch::is_token_router(target)) return {};
  if (++layer.layer >= context.from.layers) return {};
  const auto source = static_cast<std::size_t>(context.sources.index(source_name(target, layer)));
  return tensor_by_axes(growth.axes, target, context.sources, source, context.from.tied).value;
}

// Has the matrices of new layers predicted, if they start so. The top layer has none above it, so
// what follows it is a copy.
void predict_layer(TensorRecipe& made, const WholeGrowth& growth, const GrowthContext& context,
                   const arch::ParamSpec& target, const LayerSource& layer) {
  const bool predicts = growth.new_layers.kind == NewLayers::predicted && layer.is_new &&
                        !arch::is_token_router(target);
  if (!predicts || target.axes.size() != 2 || layer.layer + 1 >= context.from.layers) return;
  made.value.clear();
  made.prediction.emplace();
  made.prediction->below = layer.layer;
  made.prediction->seed = hash_name(fmt::format("{} {}", target.key, growth.axes.seed));
  for (std::int64_t i = 0; i < context.from.layers; ++i)
    made.prediction->sources.push_back(
        static_cast<std::size_t>(context.sources.index(source_name(target, {i, false}))));
}

// Makes the copies of rows (tiles above 0) copies of the same tensor in the layer above, weights
// and moments alike. The top layer copies its own rows, and norms and embeddings always do.
void take_from_above(TensorRecipe& made, const arch::ParamSpec& target, LayerSource layer,
                     const GrowthContext& context) {
  using arch::Role;
  const bool takes =
      target.role == Role::matrix || target.role == Role::residual_out || target.role == Role::bias;
  if (!takes || target.layer < 0 || ++layer.layer >= context.from.layers) return;
  const auto above = static_cast<std::size_t>(context.sources.index(source_name(target, layer)));
  for (std::vector<TensorBlock>* blocks : {&made.value, &made.gradient})
    for (TensorBlock& block : *blocks)
      if (block.kind == TensorBlock::Kind::copy && block.tile[0] > 0) block.source = above;
}

}  // namespace

void check_block_count(const std::string& tensor, std::size_t blocks) {
  constexpr std::size_t kMost = 1 << 18;
  if (blocks > kMost)
    throw usage_error("{}: found {} blocks after the growth, expected at most {}", tensor, blocks,
                      kMost)
        .with_hint(
            "grow by a smaller factor; copies: in_turn and positions: tile need the fewest blocks");
}

WholeGrowth growth_of_axes(AxisGrowth axes, const GrowthContext& context) {
  WholeGrowth growth;
  growth.axes = std::move(axes);
  growth.layers = ordered_layers(context.from.layers, context.from.layers, LayerOrder::alternate);
  return growth;
}

GrowthStep step_by_axes(const WholeGrowth& growth, const GrowthContext& context,
                        const StateRule& rule) {
  const AxisGrowth& axes = growth.axes;
  const arch::ParamTable targets = arch::param_table(context.to);
  check_blocks(axes, targets);
  check_sources(growth);
  const auto source_of = [&](std::int64_t layer) {
    return growth.layers[static_cast<std::size_t>(layer)].layer;
  };
  arch::check_routing_kept(context.from, context.to, source_of);
  GrowthStep step;
  const bool keeps = keeps_function(growth.layers, growth.new_layers, context.from.layers);
  const bool balanced = axes.noise == 0 && axes.mixing.balanced();
  const bool tells_apart = !balanced && axes.duplicates();
  step.exact = growth.exact && keeps;
  step.equivariant = growth.equivariant && keeps && !tells_apart && !axes.pads() &&
                     axes.of(arch::Axis::residual).even();
  step.symmetric = growth.equivariant && axes.duplicates() && balanced && !axes.pads();
  for (const arch::ParamSpec& target : targets) {
    const LayerSource layer = source_layer(growth.layers, target);
    TensorRecipe made = copy_of_source(axes, context, target, layer);
    made.is_new = layer.is_new;
    if (growth.next_layer) take_from_above(made, target, layer, context);
    step.tensors.push_back(std::move(made));
  }
  apply_rule(rule, step);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const LayerSource layer = source_layer(growth.layers, targets[i]);
    begin_layer(step.tensors[i], targets[i], layer, growth.new_layers, axes.seed,
                values_above(growth, context, targets[i], layer));
    predict_layer(step.tensors[i], growth, context, targets[i], layer);
  }
  return step;
}

GrowthStep step_by_layers(const LayerMap& layers, const LayerStart& start, std::int64_t seed,
                          const GrowthContext& context, const StateRule& rule) {
  if (start.kind == NewLayers::identity) check_identity(context.sources);
  WholeGrowth growth = growth_of_axes(unchanged_axes(context.from), context);
  growth.axes.seed = seed;
  growth.layers = layers;
  growth.new_layers = start;
  return step_by_axes(growth, context, rule);
}

bool turns_positions(const arch::ParamTable& table) {
  return std::none_of(table.begin(), table.end(), [](const arch::ParamSpec& spec) {
    return spec.axes[0].axis == arch::Axis::position;
  });
}

bool centers_norms(const arch::ParamTable& table) {
  return std::any_of(table.begin(), table.end(), [](const arch::ParamSpec& spec) {
    return spec.role == arch::Role::final_norm && spec.init.value == 0;
  });
}

}  // namespace stagedtrain::grow
