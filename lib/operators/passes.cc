// The operator passes runs a looped core more often. Where cores are untied, new ones are copies of
// whole old cores (arXiv 2609.19107, which goes from 2 passes to 4).
#include "arch/loops.h"
#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/looped_growth.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct PassesOptions {
  std::int64_t factor = 2;
  std::string order = "alternate";
  StateRule state{Moments::reset_new};
  template <class V>
  void fields(V& v) {
    v("factor", factor, {.doc = "how many times as many passes", .min = 1, .max = 1024});
    v("order", order,
      {.doc = "of untied cores. alternate: each new core follows the one it copies; append: new "
              "cores follow all old ones, in their order",
       .choices = {"alternate", "append"}});
    state.fields(v);
  }
};

class Passes final : public GrowthOperator {
 public:
  explicit Passes(const PassesOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (!arch::is_looped(from))
      throw usage_error("passes: found a model without a looped core, expected core above 0")
          .with_hint("--operator depth adds layers to it");
    arch::ModelConfig to = from;
    to.passes *= options_.factor;
    if (!from.tied_cores) to.layers += (to.passes - from.passes) * from.core;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    const LayerOrder order =
        options_.order == "append" ? LayerOrder::append : LayerOrder::alternate;
    GrowthStep step = step_by_layers(layers_of_passes(context.from, context.to, order),
                                     {NewLayers::copied}, 0, context, options_.state);
    if (options_.factor > 1) step.exact = step.equivariant = false;
    return step;
  }

 private:
  PassesOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_passes(const Tree& options) {
  return make_operator<Passes, PassesOptions>(options, "passes");
}
std::vector<FieldRow> document_passes() { return document_fields<PassesOptions>(); }

}  // namespace stagedtrain::grow
