// The operator stack repeats the old layers on top of themselves (G_stack, arXiv 2405.15319), or
// does so with zero outputs (G_zero in the paper). The paper restarts the optimizer, which is
// `moments: reset` here.
#include "grow/axis_operator.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct StackOptions {
  std::optional<std::int64_t> layers, factor;
  NewLayers new_layers = NewLayers::copied;
  StateRule state{Moments::reset_new};  // the best choice in the measurements of docs/log.md
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "number of layers after the growth; or give factor", .min = 1, .max = 65536});
    v("factor", factor, {.doc = "how many times deeper; or give layers", .min = 1, .max = 1024});
    v("new_layers", new_layers,
      {.doc = "copied: G_stack, the loss changes; zero_output: G_zero, the loss is kept; "
              "others: as in depth"});
    state.fields(v);
  }
};

class Stack final : public GrowthOperator {
 public:
  explicit Stack(const StackOptions& options) : options_(options) {}
  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    arch::ModelConfig to = from;
    to.layers = asked_layers("stack", options_.layers, options_.factor, from);
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }
  GrowthStep step(const GrowthContext& context) const override {
    return step_by_layers(
        ordered_layers(context.from.layers, context.to.layers, LayerOrder::append),
        {options_.new_layers}, 0, context, options_.state);
  }

 private:
  StackOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_stack(const Tree& options) {
  auto stack = make_operator<Stack, StackOptions>(options, "stack");
  check_layers_or_factor("stack", options);
  return stack;
}
std::vector<FieldRow> document_stack() { return document_fields<StackOptions>(); }

}  // namespace stagedtrain::grow
