// The operator width multiplies axes by k with block-diagonal matrices (Staged Training, arXiv
// 2203.06211, section 3.2).
//
// With k = 2, embeddings, norms and biases are tiled, and a matrix W whose two axes grow becomes
//   [ W 0 ; 0 W ]   plus the noise of add_noise in axis_growth.cc
// Readers of k copies without copies of their own outputs, such as the head, get [ W/k ... W/k ].
// Gradients are not block-diagonal: all k x k blocks get 1/k of the old gradient. So the optimizer
// state has to grow in all blocks, unlike in the paper's code (state_rule.h).
#include "operators/operators.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct WidthOptions {
  Widening widening;
  Symmetry symmetry;
  StateRule state{Moments::reset_new};  // the best choice in the measurements of docs/log.md
  template <class V>
  void fields(V& v) {
    widening.fields(v);
    v("symmetry", symmetry, {.doc = "noise that breaks the symmetry between copies"});
    state.fields(v);
  }
};

class Width final : public GrowthOperator {
 public:
  explicit Width(const WidthOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return options_.widening.grown(from);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth growth = copied_axes(context, options_.symmetry);
    growth.mixing.form = Mixing::Form::diagonal;
    return step_by_axes(growth_of_axes(std::move(growth), context), context, options_.state);
  }

 private:
  WidthOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_width(const Tree& options) {
  return make_operator<Width, WidthOptions>(options, "width");
}
std::vector<FieldRow> document_width() { return document_fields<WidthOptions>(); }

}  // namespace stagedtrain::grow
