// The operator width grows axes k-fold with block-diagonal matrices (Staged Training, arXiv
// 2203.06211, section 3.2), exact moments and a seeded break of the symmetry.
#include "grow/operators.h"
#include "grow/widening.h"

namespace stagedtrain::grow {
namespace {

struct WidthOptions {
  Widening widening;
  Symmetry symmetry;
  StateRule state{Moments::reset_new};  // the best measured: docs/log.md
  template <class V>
  void fields(V& v) {
    widening.fields(v);
    v("symmetry", symmetry, {.doc = "the break between the copies"});
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
    growth.mixing.kind = Mixing::Kind::diagonal;
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
