// The operator context allows longer sequences. Learned positions get new rows; rotary positions
// (RoPE) have no weights, so nothing but the configuration changes. No loss is promised, because
// longer windows are other data, and interpolated positions differ from the old ones.
#include <cmath>

#include "base/error.h"
#include "grow/axis_operator.h"
#include "operators/operators.h"

namespace stagedtrain::grow {

enum class NewPositions { interpolate, tile, random };

}  // namespace stagedtrain::grow

namespace stagedtrain {
template <>
struct EnumNames<grow::NewPositions> {
  static constexpr std::array names{"interpolate", "tile", "random"};
};
}  // namespace stagedtrain

namespace stagedtrain::grow {
namespace {

struct ContextOptions {
  std::int64_t length = 0;
  NewPositions positions = NewPositions::interpolate;
  std::int64_t seed = 7;
  StateRule state;
  template <class V>
  void fields(V& v) {
    v("length", length,
      {.doc = "longest sequence after the growth, in tokens",
       .min = 1,
       .max = 1 << 24,
       .required = true});
    v("positions", positions,
      {.doc = "rows of learned positions. interpolate: the old ones stretched; tile: the old ones, "
              "then the same again; random: the old ones, then fresh ones"});
    v("seed", seed, {.doc = "seed of fresh rows", .min = 0});
    state.fields(v);
  }
};

// Returns the map in which new row i is interpolated linearly between the two old rows next to
//   i * (from - 1) / (to - 1)
AxisMap stretched(std::int64_t from, std::int64_t to) {
  check_block_count("embed.position", static_cast<std::size_t>(to));
  AxisMap map;
  map.from = from;
  map.to = to;
  map.merges = true;
  map.copies = static_cast<double>(to) / static_cast<double>(from);
  for (std::int64_t i = 0; i < to; ++i) {
    const double at = to == 1 ? 0
                              : static_cast<double>(i) * static_cast<double>(from - 1) /
                                    static_cast<double>(to - 1);
    const auto below = static_cast<std::int64_t>(std::floor(at));
    const double share = at - static_cast<double>(below);
    map.pieces.push_back({i, below, 1, 1 - share, 1 - share, 0});
    if (share > 0) map.pieces.push_back({i, below + 1, 1, share, share, 1});
  }
  return map;
}

class Context final : public GrowthOperator {
 public:
  explicit Context(const ContextOptions& options) : options_(options) {}
  arch::ModelConfig grown(const arch::ModelConfig& from) const override {
    if (options_.length < from.context)
      throw usage_error("length: found {}, but the source has {}; expected at least as many",
                        options_.length, from.context);
    arch::ModelConfig to = from;
    to.context = options_.length;
    return arch::resolved(to);
  }
  Tree options() const override { return write_fields(options_); }
  GrowthStep step(const GrowthContext& context) const override {
    AxisGrowth axes = unchanged_axes(context.from);
    const std::int64_t from = context.from.context, to = context.to.context;
    if (!turns_positions(context.sources)) axes.of(arch::Axis::position) = positions(from, to);
    axes.seed = options_.seed;
    WholeGrowth growth = growth_of_axes(std::move(axes), context);
    growth.exact = growth.equivariant = from == to;
    GrowthStep step = step_by_axes(growth, context, options_.state);
    step.symmetric = false;  // different positions receive different gradients
    return step;
  }

 private:
  AxisMap positions(std::int64_t from, std::int64_t to) const {
    switch (options_.positions) {
      case NewPositions::interpolate:
        return from == to ? unchanged(from) : stretched(from, to);
      case NewPositions::tile: {
        AxisMap map = repeated(from, to);
        for (Piece& piece : map.pieces) piece.read = 1;  // no reader sums over positions
        return map;
      }
      case NewPositions::random:
        return padded(from, to, 1, Rest::random, false);
    }
    ST_CHECK(false, "positions without a rule");
  }
  ContextOptions options_;
};

}  // namespace

std::unique_ptr<GrowthOperator> make_context(const Tree& options) {
  return make_operator<Context, ContextOptions>(options, "context");
}
std::vector<FieldRow> document_context() { return document_fields<ContextOptions>(); }

}  // namespace stagedtrain::grow
