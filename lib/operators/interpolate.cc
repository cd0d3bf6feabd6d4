// The operator interpolate mixes two states of the same model (multi-level framework, arXiv
// 2404.07999). Weights and exp_avg are (1 - share) * own + share * other. exp_avg_sq is mixed with
// the squares of these factors, or with the factors themselves if `moments: copy`.
#include "grow/layer_growth.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct InterpolateOptions {
  std::string with;
  double share = 0.25;  // the best choice in the measurements of docs/log.md
  StateRule state;
  template <class V>
  void fields(V& v) {
    v("with", with, {.doc = "checkpoint of the same model", .required = true});
    v("share", share, {.doc = "share of that checkpoint in the mixture", .min = 0, .max = 1});
    state.fields(v);
  }
};

class Interpolate final : public GrowthOperator {
 public:
  explicit Interpolate(const InterpolateOptions& options) : options_(options) {}
  arch::ModelConfig grown(const arch::ModelConfig& from) const override { return from; }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    GrowthStep step;
    step.exact = step.equivariant = false;
    step.others = {options_.with};
    for (std::size_t i = 0; i < context.sources.size(); ++i) {
      TensorBlock own = whole_of(context.sources, i), other = own;
      own.scale = 1 - options_.share;
      other.scale = options_.share;
      other.state = 1;
      other.add = true;
      step.tensors.push_back({.value = {own, other}, .gradient = {own, other}, .heir_of = i});
    }
    apply_rule(options_.state, step);
    return step;
  }

 private:
  InterpolateOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_interpolate(const Tree& options) {
  return make_operator<Interpolate, InterpolateOptions>(options, "interpolate");
}
std::vector<FieldRow> document_interpolate() { return document_fields<InterpolateOptions>(); }

}  // namespace stagedtrain::grow
