// The operator merge puts several states of the same model side by side in a wider one (Deep
// Fusion, arXiv 2306.11903). Each state becomes a block on the diagonal of every matrix, and the
// logits are averaged. The loss changes, because each norm takes its statistics over all states
// together.
#include <algorithm>

#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/operators.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct MergeOptions {
  std::vector<std::string> with;
  StateRule state;
  template <class V>
  void fields(V& v) {
    v("with", with,
      {.doc = "checkpoints of the same model that are merged into the one that grows",
       .required = true});
    state.fields(v);
  }
};

// Takes the blocks of copy i from state i, and drops the blocks that connect two states. rows_merge
// and columns_merge are true for axes that hold the states side by side.
void take_from_each(std::vector<TensorBlock>& blocks, bool rows_merge, bool columns_merge) {
  std::vector<TensorBlock> kept;
  for (TensorBlock block : blocks) {
    if (rows_merge && columns_merge && block.tile[0] != block.tile[1]) continue;
    block.state = static_cast<std::size_t>(std::max(block.tile[0], block.tile[1]));
    block.tile = {};
    kept.push_back(block);
  }
  blocks = kept;
}

class Merge final : public GrowthOperator {
 public:
  explicit Merge(const MergeOptions& options) : options_(options) {
    widening_.factor = static_cast<std::int64_t>(options.with.size()) + 1;
  }

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return widening_.grown(from);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth axes = copied_axes(context, {0, 0});
    axes.mixing.form = Mixing::Form::diagonal;
    // This rule keeps all moments and optimizer scales. The requested one is applied below, once
    // only the blocks of single states are left.
    GrowthStep step = step_by_axes(growth_of_axes(axes, context), context,
                                   {Moments::equivariant, Dynamics::exact});
    step.exact = step.equivariant = step.symmetric = false;
    step.others = options_.with;
    const arch::ParamTable targets = arch::param_table(context.to);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      const auto merges = [&](std::size_t axis) {
        return axis < targets[i].axes.size() && axes.of(targets[i].axes[axis].axis).duplicates();
      };
      for (auto blocks : {&step.tensors[i].value, &step.tensors[i].gradient})
        take_from_each(*blocks, merges(0), merges(1));
    }
    apply_rule(options_.state, step);
    return step;
  }

 private:
  MergeOptions options_;
  Widening widening_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_merge(const Tree& options) {
  return make_operator<Merge, MergeOptions>(options, "merge");
}
std::vector<FieldRow> document_merge() { return document_fields<MergeOptions>(); }

}  // namespace stagedtrain::grow
