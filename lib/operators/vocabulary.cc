// The operator vocabulary adds token ids. Their rows in the embedding and in an untied head start
// as the mean of the old rows, plus noise. The loss changes, because new tokens take probability.
#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/operators.h"

namespace stagedtrain::grow {
namespace {

struct VocabularyOptions {
  std::int64_t size = 0;
  Symmetry symmetry{0.1, 7};
  StateRule state;
  template <class V>
  void fields(V& v) {
    v("size", size,
      {.doc = "number of token ids after the growth", .min = 1, .max = 1 << 24, .required = true});
    v("symmetry", symmetry, {.doc = "noise on the new rows, which begin as the mean of the old"});
    state.fields(v);
  }
};

class Vocabulary final : public GrowthOperator {
 public:
  explicit Vocabulary(const VocabularyOptions& options) : options_(options) {}
  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (options_.size < from.vocab)
      throw usage_error("size: found {}, but the source has {} tokens; expected at least as many",
                        options_.size, from.vocab);
    arch::ModelConfig to = from;
    to.vocab = options_.size;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }
  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth axes = unchanged_axes(context.from);
    axes.of(arch::Axis::vocab) = padded(context.from.vocab, context.to.vocab, 1, Rest::mean, false);
    axes.rest_noise = options_.symmetry.noise;
    axes.seed = options_.symmetry.seed;
    WholeGrowth growth = growth_of_axes(std::move(axes), context);
    growth.exact = growth.equivariant = context.from.vocab == context.to.vocab;
    return step_by_axes(growth, context, options_.state);
  }

 private:
  VocabularyOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_vocabulary(const Tree& options) {
  return make_operator<Vocabulary, VocabularyOptions>(options, "vocabulary");
}
std::vector<FieldRow> document_vocabulary() { return document_fields<VocabularyOptions>(); }

}  // namespace stagedtrain::grow
