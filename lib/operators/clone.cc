// The operator clone multiplies axes by k and spreads every matrix W over all k x k blocks: W / k
// in each (HyperCloning, arXiv 2409.12903), or c_ij W in block (i, j) with given coefficients.
//
// The rows of coefficients must sum to 1, which keeps the loss. If the columns do not, the copies
// receive different gradients, which breaks the symmetry without noise (docs/growth.md).
#include <cmath>

#include "base/error.h"
#include "operators/operators.h"
#include "widths/widening.h"

namespace stagedtrain::grow {
namespace {

struct CloneOptions {
  Widening widening;
  Tree mixing;
  Copies copies = Copies::in_turn;
  Symmetry symmetry;
  StateRule state{Moments::reset_new};  // the best choice in the measurements of docs/log.md
  template <class V>
  void fields(V& v) {
    widening.fields(v);
    v("mixing", mixing,
      {.doc =
           "factor x factor coefficients of the blocks of matrices whose two axes grow, each row "
           "with sum 1, as [[0.7, 0.3], [0.3, 0.7]]; not given: all 1 / factor",
       .shape = "list of list of number"});
    v("copies", copies, {.doc = kCopiesDoc});
    v("symmetry", symmetry,
      {.doc = "noise that breaks the symmetry between copies, and the seed of random copies"});
    state.fields(v);
  }
};

std::vector<double> read_row(const Tree& row, std::int64_t factor) {
  std::vector<double> coefficients;
  read_value(row, coefficients, {.min = -1e6, .max = 1e6}, "mixing");
  double sum = 0;
  for (const double c : coefficients) sum += c;
  if (coefficients.size() != static_cast<std::size_t>(factor) || std::abs(sum - 1) > 1e-9)
    throw row.error(
        "mixing: found a row of {} numbers with the sum {:.9g}, expected {} with the "
        "sum 1",
        coefficients.size(), sum, factor);
  return coefficients;
}

Mixing read_mixing(const Tree& tree, std::int64_t factor) {
  Mixing mixing;
  if (tree.kind == Tree::Kind::none) return mixing;
  if (tree.kind != Tree::Kind::list || tree.items.size() != static_cast<std::size_t>(factor))
    throw tree.error("mixing: found {}, expected a list of {} rows", tree.describe(), factor);
  mixing.form = Mixing::Form::matrix;
  for (const Tree& row : tree.items) mixing.coefficients.push_back(read_row(row, factor));
  return mixing;
}

class Clone final : public GrowthOperator {
 public:
  explicit Clone(const CloneOptions& options)
      : options_(options), mixing_(read_mixing(options.mixing, options.widening.factor)) {
    if (options.copies == Copies::random && mixing_.form == Mixing::Form::matrix)
      throw usage_error(
          "clone takes mixing only with whole copies, found copies: random, expected in_turn or "
          "next_layer");
  }

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    return options_.widening.grown(from);
  }
  Tree options() const override { return write_fields(options_); }

  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth axes = copied_axes(context, options_.symmetry, options_.copies);
    axes.mixing = mixing_;
    return step_by_axes(growth_by_copies(std::move(axes), context, options_.copies), context,
                        options_.state);
  }

 private:
  CloneOptions options_;
  Mixing mixing_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_clone(const Tree& options) {
  return make_operator<Clone, CloneOptions>(options, "clone");
}
std::vector<FieldRow> document_clone() { return document_fields<CloneOptions>(); }

}  // namespace stagedtrain::grow
