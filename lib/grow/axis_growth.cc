// How does a tensor grow, given how its axes grow? The rule that every operator of width uses.
//
// Each axis has a pair of matrices (axis_map.h): D (new x old) maps old activations to new ones,
// and S (old x new, S D = I) splits the weights of readers. For a matrix W (out x in) with gradient
// G = dL/dW, the grown model has
//   W' = D_out W S_in        dL/dW' = S_out^T G D_in^T
// (docs/growth.md, "Two equations"). A piece of a map is a run of indices with one entry of D
// (`write`) and one of S (`read`), so each pair of pieces p of the rows and q of the columns gives
//   value     block (p, q) = p.write * q.read  * W[p.from, q.from]
//   gradient  block (p, q) = p.read  * q.write * G[p.from, q.from]
// The other roles are special cases. An embedding writes its columns and has no reader in a
// product. Biases and norms write their only axis. The final norm before a tied head *reads* it
// instead: logits are E y, and E is the embedding, which must keep writing the old values, so the
// split into 1/k is put into the gain and the bias of the norm.
//
// Each tensor also gets its optimizer scales for `dynamics: exact` (state_rule.h): with c_in copies
// of the inputs and c_out of the outputs, lr_scale = 1 / c_in, decay_scale = c_in, eps_scale = 1 /
// c_out.
//
// Invariants: no two blocks of a list cover the same entry, unless the later one is added. The rule
// depends on roles and axes, never on names, so every architecture gets every operator.
//
// Rejected: dense matrices D and S and two matrix products for each tensor. That would need no
// blocks, but growing gigabytes is bound by memory bandwidth, and nearly all products would only
// copy rows.
#include "grow/axis_growth.h"

#include <algorithm>
#include <cmath>

#include "arch/routed_layers.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

using arch::Role;

// Gains start at 1, or at another number if the model has a parameterization; biases start at 0.
bool is_gain(const arch::ParamSpec& spec) {
  return spec.init.kind == arch::Init::Kind::constant && spec.init.value != 0;
}

// Makes the recipe of one tensor. Each public function is the rule of one group of roles.
class TensorRule {
 public:
  TensorRule(const AxisGrowth& growth, const arch::ParamSpec& target,
             const arch::ParamTable& sources, std::size_t source)
      : growth_(growth),
        target_(target),
        source_(source),
        columns_(corner_of(sources[source])[1]),
        rows_map_(growth.of(target.axes[0].axis)),
        columns_map_(target.axes.size() == 2 ? growth.of(target.axes[1].axis) : unchanged(1)) {
    recipe_.heir_of = source;
  }

  // A matrix, y = W x, writes its rows and reads its columns.
  TensorRecipe matrix() {
    for (const Piece& p : rows_map_.pieces)
      for (const Piece& q : columns_map_.pieces) {
        copy(recipe_.value, p, q, p.write * coefficient(p, q));
        copy(recipe_.gradient, p, q, p.read * q.write);
      }
    matrix_rest();
    if (growth_.noise > 0 && target_.role != Role::head) add_noise();
    set_scales(rows_map_.pieces[0].write / columns_map_.copies, dual(rows_map_));
    return recipe_;
  }

  // An embedding writes its columns. Its rows are looked up, and a tied head reads them.
  TensorRecipe embedding() {
    for (const Piece& p : rows_map_.pieces)
      for (const Piece& q : columns_map_.pieces) {
        copy(recipe_.value, p, q, p.write * q.write);
        copy(recipe_.gradient, p, q, p.read * q.read);
      }
    for (const Run& run : rest_of(columns_map_))
      if (columns_map_.rest == Rest::mean)
        for (const Piece& p : rows_map_.pieces) {
          TensorBlock& block = add(recipe_.value, TensorBlock::Kind::mean_columns,
                                   {p.to, run.begin}, {p.count, run.count}, p.write);
          block.from = {p.from, 0};
          block.span = columns_map_.from;
        }
    rest_rows();
    set_scales(1, dual(columns_map_));
    return recipe_;
  }

  TensorRecipe vector() {
    for (const Piece& p : rows_map_.pieces) {
      copy(recipe_.value, p, {}, p.write);
      copy(recipe_.gradient, p, {}, p.read);
    }
    if (rows_map_.rest == Rest::mean)
      for (const Run& run : rest_of(rows_map_)) mean_rows(run, {0, 0, 1}, 1);
    set_scales(rows_map_.pieces[0].write, dual(rows_map_));
    return recipe_;
  }

  // If the residual stream is padded, its mean square falls by the factor norm_share, so the gain
  // is multiplied by the root of it. The gains of new indices multiply zeros; they start at the
  // root too, as a fresh gain would. Before a tied head the norm reads its axis (see the top).
  TensorRecipe norm(bool before_tied_head) {
    const bool gain = is_gain(target_);
    const double share = gain ? std::sqrt(growth_.norm_share) : 1;
    for (const Piece& p : rows_map_.pieces) {
      copy(recipe_.value, p, {}, share * (before_tied_head ? p.read : p.write));
      copy(recipe_.gradient, p, {}, (before_tied_head ? p.write : p.read) / share);
    }
    if (gain)
      for (const Run& run : rest_of(rows_map_))
        add(recipe_.value, TensorBlock::Kind::constant, {run.begin, 0}, {run.count, 1},
            share * target_.init.value);
    set_scales(share / (before_tied_head ? rows_map_.copies : 1),
               (before_tied_head ? 1 : dual(rows_map_)) / share);
    return recipe_;
  }

  // The gain of a norm of queries or keys. In a padded model, grow_heads multiplies the rows that
  // produce queries and keys by the root of norm_share, because these norms use the same scaled
  // eps. The gain itself stays as it is, so the factor is divided out where the axis carries it.
  TensorRecipe head_norm() {
    const double share =
        target_.axes[0].axis == arch::Axis::entry ? 1 : std::sqrt(growth_.norm_share);
    for (const Piece& p : rows_map_.pieces) {
      copy(recipe_.value, p, {}, p.write / share);
      copy(recipe_.gradient, p, {}, p.read * share);
    }
    set_scales(1, dual(rows_map_) * share);
    return recipe_;
  }

 private:
  static double dual(const AxisMap& map) {
    return map.even() ? map.pieces[0].read : 1 / map.copies;
  }

  void set_scales(double lr_scale, double eps_scale) {
    recipe_.lr_scale = lr_scale;
    recipe_.decay_scale = 1 / lr_scale;
    recipe_.eps_scale = eps_scale;
  }

  TensorBlock& add(std::vector<TensorBlock>& blocks, TensorBlock::Kind kind, const Corner& to,
                   const Corner& extent, double scale) {
    TensorBlock block;
    block.kind = kind;
    block.source = source_;
    block.to = to;
    block.extent = extent;
    block.scale = scale;
    blocks.push_back(block);
    return blocks.back();
  }

  void copy(std::vector<TensorBlock>& blocks, const Piece& p, const Piece& q, double scale) {
    if (scale == 0) return;
    TensorBlock& block = add(blocks, TensorBlock::Kind::copy, {p.to, q.to},
                             {p.count, std::max<std::int64_t>(q.count, 1)}, scale);
    block.from = {p.from, q.from};
    block.tile = {rows_map_.merges ? 0 : p.tile, columns_map_.merges ? 0 : q.tile};
    block.add = (rows_map_.merges && p.tile > 0) || (columns_map_.merges && q.tile > 0);
  }

  // Returns what block (p, q) of the values is multiplied by besides p.write. The mixing applies to
  // matrices both of whose axes have the same whole number of copies; in all others, readers are
  // split evenly.
  double coefficient(const Piece& p, const Piece& q) const {
    const bool square = rows_map_.even() && columns_map_.even() && rows_map_.duplicates() &&
                        rows_map_.tiles() == columns_map_.tiles();
    if (!square || growth_.mixing.form == Mixing::Form::uniform) return q.read;
    const auto i = static_cast<std::size_t>(p.tile), j = static_cast<std::size_t>(q.tile);
    if (growth_.mixing.form == Mixing::Form::diagonal) return i == j ? 1 : 0;
    return growth_.mixing.coefficients[i][j];
  }

  void mean_rows(const Run& run, const Piece& q, double scale) {
    TensorBlock& block = add(recipe_.value, TensorBlock::Kind::mean_rows, {run.begin, q.to},
                             {run.count, q.count}, scale);
    block.from = {0, q.from};
    block.span = rows_map_.from;
  }

  void random(const Corner& to, const Corner& extent, double scale, const char* what) {
    TensorBlock& block = add(recipe_.value, TensorBlock::Kind::noise, to, extent, scale);
    block.from = to;
    block.stream = stream(what);
    block.noise_columns = columns_map_.to;
  }

  std::uint64_t stream(const std::string& what) const {
    return hash_name(fmt::format("{} {}x{} {} {}", target_.name, rows_map_.to, columns_map_.to,
                                 growth_.seed, what));
  }

  void rest_rows() {
    for (const Run& run : rest_of(rows_map_)) {
      if (rows_map_.rest == Rest::random) random_rows(run, 1);
      if (rows_map_.rest == Rest::mean)
        for (const Piece& q : columns_map_.pieces)
          mean_rows(run, q, target_.role == Role::embed ? q.write : q.read);
      if (rows_map_.rest == Rest::mean && growth_.rest_noise > 0)
        random_rows(run, growth_.rest_noise);
    }
  }

  void random_rows(const Run& run, double scale) {
    random({run.begin, 0}, {run.count, columns_map_.to}, scale, "rows");
  }

  void matrix_rest() {
    rest_rows();
    // Routers of tokens read the stream itself, where the rest need not be 0 as it is behind a
    // norm.
    if (columns_map_.rest_is_read && !arch::is_token_router(target_))
      for (const Run& run : rest_of(columns_map_))
        for (const Piece& p : rows_map_.pieces)
          random({p.to, run.begin}, {p.count, run.count}, 1, "columns");
  }

  // Breaks the symmetry between copies (docs/growth.md, "Symmetry, and breaking it"). Copy i of the
  // outputs draws fresh numbers N_i and adds +N_i at one copy of the inputs and -N_i at the next.
  // Each row of blocks still sums to W, so equal inputs cancel the noise and the loss is kept. The
  // columns of blocks do not, so the copies receive different gradients.
  void add_noise() {
    const std::int64_t tiles = columns_map_.tiles();
    if (tiles < 2) return;
    for (const Piece& p : rows_map_.pieces)
      for (const Piece& a : columns_map_.pieces)
        for (const Piece& b : columns_map_.pieces)
          if (a.tile == p.tile % tiles && b.tile == (p.tile + 1) % tiles) add_pair(p, a, b);
  }

  void add_pair(const Piece& p, const Piece& a, const Piece& b) {
    const std::int64_t begin = std::max(a.from, b.from),
                       end = std::min(a.from + a.count, b.from + b.count);
    if (begin >= end) return;
    for (const Piece* q : {&a, &b}) {
      TensorBlock& block =
          add(recipe_.value, TensorBlock::Kind::noise, {p.to, q->to + begin - q->from},
              {p.count, end - begin}, q == &a ? growth_.noise : -growth_.noise);
      block.from = {p.from, begin};
      block.stream = stream(std::to_string(p.tile));
      block.noise_columns = columns_;
    }
  }

  const AxisGrowth& growth_;
  const arch::ParamSpec& target_;
  std::size_t source_;
  std::int64_t columns_;
  const AxisMap& rows_map_;
  AxisMap columns_map_;
  TensorRecipe recipe_;
};

}  // namespace

bool Mixing::balanced() const {
  if (form != Form::matrix) return true;
  for (std::size_t j = 0; j < coefficients.size(); ++j) {
    double sum = 0;
    for (const auto& row : coefficients) sum += row[j];
    if (std::abs(sum - 1) > 1e-12) return false;
  }
  return true;
}

bool AxisGrowth::duplicates() const {
  return std::any_of(maps.begin(), maps.end(), [](const AxisMap& m) { return m.duplicates(); });
}
bool AxisGrowth::pads() const {
  return std::any_of(maps.begin(), maps.end(),
                     [](const AxisMap& m) { return m.to > 0 && !rest_of(m).empty(); });
}

AxisGrowth unchanged_axes(const arch::ModelConfig& config) {
  AxisGrowth growth;
  for (const arch::ParamSpec& spec : arch::param_table(config))
    for (const arch::AxisSize& axis : spec.axes) growth.of(axis.axis) = unchanged(axis.size);
  return growth;
}

TensorRecipe tensor_by_axes(const AxisGrowth& growth, const arch::ParamSpec& target,
                            const arch::ParamTable& sources, std::size_t source, bool tied) {
  stop_point("growing");
  TensorRule rule(growth, target, sources, source);
  switch (target.role) {
    case Role::embed:
      return rule.embedding();
    case Role::norm:
    case Role::branch_norm:
      return rule.norm(false);
    case Role::head_norm:
      return rule.head_norm();
    case Role::final_norm:
      return rule.norm(tied);
    case Role::head:
    case Role::matrix:
    case Role::residual_out:
    case Role::bias:
      return target.axes.size() == 2 ? rule.matrix() : rule.vector();
  }
  ST_CHECK(false, "{}: role without a rule", target.name);
}

}  // namespace stagedtrain::grow
