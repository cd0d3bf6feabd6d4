// The operator mango learns how to grow with one ring of maps for all matrices (Mango, arXiv
// 2310.10699; learned/ring_growth.h). A few steps of training fit it to the run's data before the
// growth, as for ligo.
//
// The maps start as copies, plus noise, so fit.steps: 0 is a growth by copies: of the residual
// stream and the heads in turn, of the hidden units part by part, and of layers by `order`.
#include "learned/fit_options.h"
#include "learned/ring_growth.h"
#include "operators/operators.h"
#include "widths/target_sizes.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct MangoOptions {
  std::optional<std::int64_t> layers, width;
  std::int64_t rank = 1;
  FittedOptions fitted;
  template <class V>
  void fields(V& v) {
    v("layers", layers, {.doc = "number of layers after the growth", .min = 1, .max = 65536});
    v("width", width,
      {.doc = "size of the residual stream after the growth, a multiple of head_dim; heads and ffn "
              "grow with it",
       .min = 1,
       .max = 1 << 24});
    v("rank", rank,
      {.doc =
           "rank of the ring that joins the maps; a part of a matrix is a sum of rank^4 products",
       .min = 1,
       .max = 4});
    fitted.fields(v);
  }
};

class Mango final : public GrowthOperator {
 public:
  explicit Mango(const MangoOptions& options) : options_(options) {
    check_fit(options.fitted, "mango");
  }

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    check_ring(from, "mango");
    TargetSizes sizes{.layers = options_.layers, .width = options_.width};
    if (const auto width = options_.width) {
      if (*width % from.head_dim != 0)
        throw usage_error("mango: width: found {}, expected a multiple of head_dim {}", *width,
                          from.head_dim);
      sizes.heads = *width / from.head_dim;
      sizes.ffn = from.ffn / from.width * *width;
    }
    return sizes.grown(from, "mango");
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth axes = copied_axes(context, {0, options_.fitted.seed});
    axes.of(arch::Axis::ffn) = ring_units(context.from, context.to);
    WholeGrowth growth = growth_by_copies(std::move(axes), context, Copies::in_turn);
    growth.layers = ordered_layers(context.from.layers, context.to.layers, options_.fitted.order);
    growth.new_layers = {NewLayers::copied};
    GrowthStep step = step_by_axes(growth, context, options_.fitted.state);
    if (options_.fitted.fit.steps == 0) return step;
    learn_ring(step, growth.axes, growth.layers, context,
               {options_.rank, options_.fitted.fit.noise, options_.fitted.seed});
    step.fit = options_.fitted.fit.fit();
    return step;
  }

 private:
  MangoOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_mango(const Tree& options) {
  return make_operator<Mango, MangoOptions>(options, "mango");
}
std::vector<FieldRow> document_mango() { return document_fields<MangoOptions>(); }

}  // namespace stagedtrain::grow
