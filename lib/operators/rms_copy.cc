// The operator rms_copy reaches any larger width with copies (SPARKLING, arXiv 2602.02472).
//
// The weights of readers are divided by the number of copies of each index, and the root mean
// square of the residual stream stays about what it was. By default the moments of copies start at
// zero, which breaks the symmetry without noise. The loss is kept if the residual stream grows by
// whole multiples. At other widths it changes, because norms weigh the indices that have one copy
// more than others too highly; lemon avoids that by padding.
#include "grow/axis_operator.h"
#include "operators/operators.h"
#include "widths/target_sizes.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct RmsCopyOptions {
  TargetSizes sizes;
  Copies copies = Copies::in_turn;
  Symmetry symmetry{0, 7};
  StateRule state{Moments::reset_new};
  template <class V>
  void fields(V& v) {
    sizes.copied_fields(v);
    v("copies", copies, {.doc = kCopiesDoc});
    v("symmetry", symmetry,
      {.doc =
           "noise that breaks the symmetry between copies further, and the seed of random copies"});
    state.fields(v);
  }
};

class RmsCopy final : public GrowthOperator {
 public:
  explicit RmsCopy(const RmsCopyOptions& options) : options_(options) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return options_.sizes.grown(from, "rms_copy");
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth axes = copied_axes(context, options_.symmetry, options_.copies);
    return step_by_axes(growth_by_copies(std::move(axes), context, options_.copies), context,
                        options_.state);
  }

 private:
  RmsCopyOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_rms_copy(const Tree& options) {
  return make_operator<RmsCopy, RmsCopyOptions>(options, "rms_copy");
}
std::vector<FieldRow> document_rms_copy() { return document_fields<RmsCopyOptions>(); }

}  // namespace stagedtrain::grow
