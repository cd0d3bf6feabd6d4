// The operator llama_pro adds layers with zero outputs after each group of old layers (LLaMA-Pro,
// arXiv 2401.02415). As in the paper, a stage with `train_only: new` trains only the new layers.
#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct LlamaProOptions {
  std::int64_t groups = 1, per_group = 1;
  StateRule state{Moments::reset_new};
  template <class V>
  void fields(V& v) {
    v("groups", groups,
      {.doc = "into how many groups of equal size the old layers are cut", .min = 1, .max = 65536});
    v("per_group", per_group,
      {.doc = "new layers after each group: copies of its last layer, with zeroed outputs",
       .min = 1,
       .max = 1024});
    state.fields(v);
  }
};

class LlamaPro final : public GrowthOperator {
 public:
  explicit LlamaPro(const LlamaProOptions& options) : options_(options) {}
  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (from.layers == 0 || from.layers % options_.groups != 0)
      throw usage_error("groups: {} does not divide the source's {} layers", options_.groups,
                        from.layers);
    arch::ModelConfig to = from;
    to.layers += options_.groups * options_.per_group;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }
  GrowthStep step(const GrowthContext& context) const override {
    const std::int64_t size = context.from.layers / options_.groups;
    LayerMap layers;
    for (std::int64_t i = 0; i < context.from.layers; ++i) {
      layers.push_back({i, false});
      for (std::int64_t n = 0; n < options_.per_group && (i + 1) % size == 0; ++n)
        layers.push_back({i, true});
    }
    return step_by_layers(layers, {}, 0, context, options_.state);
  }

 private:
  LlamaProOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_llama_pro(const Tree& options) {
  return make_operator<LlamaPro, LlamaProOptions>(options, "llama_pro");
}
std::vector<FieldRow> document_llama_pro() { return document_fields<LlamaProOptions>(); }

}  // namespace stagedtrain::grow
