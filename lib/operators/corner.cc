// The operator corner takes the model in the top-left corner of a larger one's matrices out of it
// (arch/corner.h): the student of the policy `teacher`, or what `clone` has widened.
//
// clone with noise 0 followed by corner gives back weights and both moments. After a stage with
// `teacher` the weights are the student's own, while the moments are averages of the sum of both
// models' gradients (docs/policies.md).
#include "arch/corner.h"

#include "base/error.h"
#include "base/signals.h"
#include "grow/state_rule.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct CornerOptions {
  std::int64_t factor = 2;
  StateRule state;
  template <class V>
  void fields(V& v) {
    v("factor", factor,
      {.doc = "what width, heads, kv_heads and ffn are divided by; head_dim is kept",
       .min = 2,
       .max = 64});
    state.fields(v);
  }
};

TensorRecipe corner_of_tensor(const arch::ParamSpec& target, std::size_t source, bool tied,
                              std::int64_t factor) {
  const arch::CornerScales scales = arch::corner_scales(target, tied, factor);
  TensorBlock block;
  block.source = source;
  block.extent = corner_of(target);
  TensorRecipe made;
  block.scale = scales.value;
  made.value = {block};
  block.scale = scales.gradient;
  made.gradient = {block};
  made.heir_of = source;
  made.lr_scale = scales.value;
  made.decay_scale = 1 / scales.value;
  made.eps_scale = scales.gradient;
  return made;
}

class CornerOperator final : public GrowthOperator {
 public:
  explicit CornerOperator(const CornerOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    const std::string obstacle = arch::obstacle_to_corner(from, options_.factor);
    if (!obstacle.empty()) throw usage_error("corner: {}", obstacle);
    return arch::corner_model(from, options_.factor);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    GrowthStep step;
    step.exact = step.equivariant = false;
    for (const arch::ParamSpec& target : arch::param_table(context.to)) {
      stop_point("growing");
      const std::int64_t source = context.sources.index(target.name);
      ST_CHECK(source >= 0, "{}: the larger model has no such tensor", target.name);
      step.tensors.push_back(corner_of_tensor(target, static_cast<std::size_t>(source),
                                              context.from.tied, options_.factor));
    }
    apply_rule(options_.state, step);
    return step;
  }

 private:
  CornerOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_corner(const Tree& options) {
  return make_operator<CornerOperator, CornerOptions>(options, "corner");
}
std::vector<FieldRow> document_corner() { return document_fields<CornerOptions>(); }

}  // namespace stagedtrain::grow
