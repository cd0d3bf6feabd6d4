// The operator depth adds layers in any order (Staged Training, arXiv 2203.06211, section 3.1). By
// default new layers have zero outputs instead of the paper's zero norms, which take a step longer
// to train and never train without biases (docs/growth.md, "Operators of depth").
#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct DepthOptions {
  Tree layers;
  std::optional<std::int64_t> factor;
  LayerOrder order = LayerOrder::alternate;
  std::optional<std::int64_t> block;
  NewLayers new_layers = NewLayers::zero_output;
  std::optional<double> scale;
  std::int64_t seed = 7;
  StateRule state{Moments::reset_new};
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "number of layers after the growth, or the list of old layers that they copy, as [0, "
              "0, 1, 1, 2]; or give factor",
       .shape = "count or list of count"});
    v("factor", factor, {.doc = "how many times deeper; or give layers", .min = 1, .max = 1024});
    v("order", order,
      {.doc =
           "alternate: each new layer follows the layer it copies; append: new layers follow all "
           "old ones, in the old order; last: the last block of layers once more at the end "
           "(gradual stacking); middle: the middle block once more after itself (MIDAS); overlap: "
           "two copies of the model, without the last layers of one and the first of the other "
           "(SOLAR); upper: new layers between the uppermost old ones (STEP)"});
    v("block", block,
      {.doc = "layers that order last or middle repeats together (default: 1 for last, all new "
              "layers for middle)",
       .min = 1,
       .max = 65536});
    v("new_layers", new_layers,
      {.doc =
           "zero_output: copies whose outputs into the residual stream are zero, so the loss is "
           "kept; identity: their norms are zero too; copied: copies, the loss changes; "
           "mean: the mean of the layer that it would copy and the next old one, the loss "
           "changes; slerp: halfway between these two on their arc, the loss changes; predicted: "
           "matrices that a small network predicts from all layers, the loss changes; random: "
           "fresh layers, the loss changes"});
    v("scale", scale,
      {.doc = "factor of the outputs of copied layers into the residual stream: 1 is plain "
              "stacking, 0 makes the weights of zero_output (default: 1)",
       .min = 0,
       .max = 2});
    v("seed", seed, {.doc = "seed of random and of predicted layers", .min = 0});
    state.fields(v);
  }
};

class Depth final : public GrowthOperator {
 public:
  explicit Depth(const DepthOptions& options) : options_(options) {
    if (options.block && options.order != LayerOrder::last && options.order != LayerOrder::middle)
      throw usage_error("depth takes block only with order last or middle");
    if (options.scale && options.new_layers != NewLayers::copied)
      throw usage_error("depth takes scale only with new_layers copied");
    if (options.layers.kind == Tree::Kind::list) {
      read_value(options.layers, list_, {.min = 0, .max = 65536}, "depth.layers");
      if (options.order != LayerOrder::alternate)
        throw usage_error(
            "depth takes order only with a number of layers: a list already gives the order");
    } else if (options.layers.kind != Tree::Kind::none) {
      std::int64_t layers = 0;
      read_value(options.layers, layers, {.min = 1, .max = 65536}, "depth.layers");
      layers_ = layers;
    }
  }

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    arch::ModelConfig to = from;
    to.layers = list_.empty() ? asked_layers("depth", layers_, options_.factor, from)
                              : static_cast<std::int64_t>(list_.size());
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const std::int64_t from = context.from.layers;
    const LayerMap layers = list_.empty() ? ordered_layers(from, context.to.layers, options_.order,
                                                           options_.block.value_or(0))
                                          : listed_layers(from, list_);
    return step_by_layers(layers, {options_.new_layers, options_.scale.value_or(1)}, options_.seed,
                          context, options_.state);
  }

 private:
  DepthOptions options_;
  std::optional<std::int64_t> layers_;  // if options_.layers is a number
  std::vector<std::int64_t> list_;      // if it is a list
};

}  // namespace

std::unique_ptr<GrowthOperator> make_depth(const Tree& options) {
  auto depth = make_operator<Depth, DepthOptions>(options, "depth");
  check_layers_or_factor("depth", options);
  return depth;
}

std::vector<FieldRow> document_depth() { return document_fields<DepthOptions>(); }

}  // namespace stagedtrain::grow
