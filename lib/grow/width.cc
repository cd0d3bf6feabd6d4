// width: k-fold block-diagonal growth (Staged Training, arXiv 2203.06211, section 3.2), with the
// exact moments of docs/growth.md and a seeded break of the symmetry.
#include "base/error.h"
#include "base/rng.h"
#include "grow/operator.h"

namespace stagedtrain::grow {
namespace {

struct WidthOptions {
  std::int64_t factor = 2;
  Symmetry symmetry;
  template <class V>
  void fields(V& v) {
    v("factor", factor,
      {.doc = "how many times wider: width, heads and ffn are multiplied, head_dim is kept",
       .min = 1,
       .max = 64});
    v("symmetry", symmetry, {.doc = "the break between the copies"});
  }
};

class Width final : public GrowthOperator {
 public:
  explicit Width(const WidthOptions& options) : options_(options), k_(options.factor) {}

  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    arch::ModelConfig to = from;
    to.width *= k_;
    to.heads *= k_;
    to.kv_heads *= k_;
    to.ffn *= k_;
    return arch::resolved(to);
  }

  bool exact() const override { return true; }
  bool equivariant() const override { return !breaks(); }
  Tree options() const override { return write_fields(options_); }

  TensorRecipe rule(const arch::ParamSpec& target, const GrowthContext& context) const override {
    const auto source = static_cast<std::size_t>(context.sources.index(target.name));
    const Corner size = corner_of(context.sources[source]);
    const double k = static_cast<double>(k_);
    switch (target.role) {
      case arch::Role::embed:
        return tile(source, size, 1, k_, 1.0, 1 / k);
      case arch::Role::head:
        return tile(source, size, 1, k_, 1 / k, 1.0);
      case arch::Role::final_norm:
        // The tied head reads k copies, so the norm before it carries 1/k; an untied head does
        // itself.
        return context.from.tied ? tile(source, size, k_, 1, 1 / k, 1.0)
                                 : tile(source, size, k_, 1, 1.0, 1 / k);
      case arch::Role::norm:
      case arch::Role::bias:
        return tile(source, size, k_, 1, 1.0, 1 / k);
      case arch::Role::matrix:
      case arch::Role::residual_out:
        if (target.axes.size() == 1) return tile(source, size, k_, 1, 1.0, 1 / k);
        return block_diagonal(target, source, size);
    }
    ST_CHECK(false, "{}: role without a rule", target.name);
  }

 private:
  bool breaks() const { return k_ > 1 && options_.symmetry.noise > 0; }

  static BlockCopy block(std::size_t source, const Corner& size, std::int64_t row,
                         std::int64_t column, double scale) {
    BlockCopy copy;
    copy.source = source;
    copy.to = {row * size[0], column * size[1]};
    copy.extent = size;
    copy.scale = scale;
    return copy;
  }

  // rows x columns whole copies, values and gradients each with one scale.
  static TensorRecipe tile(std::size_t source, const Corner& size, std::int64_t rows,
                           std::int64_t columns, double value, double gradient) {
    TensorRecipe recipe;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        recipe.value.push_back(block(source, size, i, j, value));
        recipe.gradient.push_back(block(source, size, i, j, gradient));
      }
    }
    return recipe;
  }

  // W on the diagonal; the gradient, and so the moments, in all blocks.
  TensorRecipe block_diagonal(const arch::ParamSpec& target, std::size_t source,
                              const Corner& size) const {
    TensorRecipe recipe = tile(source, size, k_, k_, 1.0, 1 / static_cast<double>(k_));
    recipe.value.clear();
    for (std::int64_t i = 0; i < k_; ++i) recipe.value.push_back(block(source, size, i, i, 1.0));
    if (breaks()) add_noise(target, source, size, recipe);
    return recipe;
  }

  // Row block i gets fresh numbers +N_i in column block i and -N_i in the next: rows stay balanced,
  // so equal inputs cancel them; columns do not, so the copies' gradients differ.
  void add_noise(const arch::ParamSpec& target, std::size_t source, const Corner& size,
                 TensorRecipe& recipe) const {
    for (std::int64_t i = 0; i < k_; ++i) {
      const std::uint64_t stream = hash_name(
          fmt::format("{} {}x{} {} {}", target.name, size[0], size[1], options_.symmetry.seed, i));
      for (int sign : {1, -1}) {
        const std::int64_t column = sign > 0 ? i : (i + 1) % k_;
        BlockCopy noise = block(source, size, i, column, sign * options_.symmetry.noise);
        noise.noise_stream = stream | 1;
        noise.noise_columns = size[1];
        recipe.value.push_back(noise);
      }
    }
  }

  WidthOptions options_;
  std::int64_t k_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_width(const Tree& options) {
  WidthOptions read;
  read_fields(options, read, "width");
  return std::make_unique<Width>(read);
}

std::vector<FieldRow> document_width() { return document_fields<WidthOptions>(); }

}  // namespace stagedtrain::grow
