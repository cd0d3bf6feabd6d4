// Places the activations and buffers of one batch shape in the arena.
#include "fused/fused_activations.h"

#include <algorithm>
#include <cmath>

namespace stagedtrain::model {
namespace {

// An upper bound of the logits that exist at a time (64 MiB), unless kFewestLogitRows rows have
// more.
constexpr std::int64_t kMostLogits = std::int64_t{1} << 24;
constexpr std::int64_t kFewestLogitRows = 64;

// y is an output buffer that several norms share, or null for a buffer of its own. So is x.
NormActivations take_norm(Carver& carver, std::int64_t rows, std::int64_t width, float* y,
                          float* x = nullptr) {
  return {x ? x : carver.take<float>(rows * width), y ? y : carver.take<float>(rows * width),
          carver.take<float>(rows), carver.take<float>(rows)};
}

kernels::Routing take_routing(std::int64_t rows, const FusedSizes& s, Carver& carver) {
  if (s.experts == 0) return {};
  const std::int64_t copies = rows * s.copies();
  return {s.experts,
          s.experts_each,
          carver.take<float>(rows * s.experts),
          carver.take<float>(copies),
          carver.take<std::int32_t>(copies),
          carver.take<std::int32_t>(copies),
          carver.take<std::int32_t>(copies),
          carver.take<std::int64_t>(s.experts + 1),
          s.normalised_gates};
}

LayerActivations take_layer(const FusedActivations& a, const FusedSizes& s, float* y,
                            Carver& carver) {
  LayerActivations layer = {};
  layer.norm_1 = take_norm(carver, a.rows, s.width, y);
  layer.norm_2 = take_norm(carver, a.rows, s.width, y, s.style.parallel ? layer.norm_1.x : nullptr);
  layer.qkv = carver.take<float>(a.rows * s.qkv_width());
  if (s.head_norms()) layer.raw_qk = carver.take<float>(a.rows * s.query_and_key_width());
  layer.attended = carver.take<float>(a.rows * s.heads_width());
  layer.lse = carver.take<float>(a.rows * s.heads);
  layer.up = carver.take<float>(a.rows * s.copies() * s.up_width());
  layer.routing = take_routing(a.rows, s, carver);
  return layer;
}

void place_layers(FusedActivations& a, const FusedSizes& s, const Purpose& purpose,
                  Carver& carver) {
  a.layers.clear();
  const bool blocks = a.recompute == Recompute::blocks;
  const bool shared_y = a.recompute != Recompute::none && !s.style.norms_after;
  float* y = shared_y ? carver.take<float>(a.rows * s.width) : nullptr;
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const bool shared = i > 0 && (blocks || purpose.forward_only);
    a.layers.push_back(shared ? a.layers.front() : take_layer(a, s, y, carver));
    if (!shared || !blocks) continue;
    LayerActivations& layer = a.layers.back();
    layer.norm_1 = take_norm(carver, a.rows, s.width, y);
    if (s.style.parallel) layer.norm_2.x = layer.norm_1.x;
  }
  a.final_norm = take_norm(carver, a.rows, s.width, nullptr);
}

// Without a backward pass, the input of the first boundary alone is read again.
void place_boundaries(FusedActivations& a, const FusedSizes& s, const Purpose& purpose,
                      Carver& carver) {
  a.boundaries.clear();
  if (s.boundaries.count == 0) return;
  for (std::int64_t j = 0; j < s.boundaries.count; ++j) {
    const bool shared = purpose.forward_only && j > 1;
    a.boundaries.push_back(shared ? a.boundaries.back()
                                  : BoundaryActivations{carver.take<float>(a.rows * s.width),
                                                        carver.take<float>(a.rows)});
  }
  a.unit_gain = carver.take<float>(s.width);
  if (!purpose.forward_only) a.dprelude = carver.take<float>(a.rows * s.width);
}

void place_buffers(FusedActivations& a, const FusedSizes& s, const Purpose& purpose,
                   Carver& carver) {
  const std::int64_t rows = a.rows, copies = a.rows * s.copies();
  const bool experts = s.experts > 0;
  a.hidden = carver.take<float>(copies * s.ffn);
  if (experts) {
    a.inputs = carver.take<float>(copies * s.width);
    a.mixture = carver.take<float>(copies * s.width);
    a.choices = carver.take<std::int64_t>(s.experts);
  }
  a.branch = carver.take<float>(rows * s.width);
  a.logits = carver.take<float>(a.group * s.vocab);
  a.losses = carver.take<double>(rows);
  a.ids = carver.take<std::int32_t>(rows + a.sequences);
  a.plan.buffers.packed = carver.take<float>(a.packed_floats);
  a.plan.buffers.scratch = carver.take<float>(num_workers() * a.plan.buffers.scratch_stride);
  if (s.style.parallel) a.other = carver.take<float>(rows * s.width);
  if (purpose.forward_only) return;
  if (a.recompute == Recompute::blocks) a.spare = carver.take<float>(rows * s.width);
  a.dx = carver.take<float>(rows * s.width);
  const bool own_dbranch = purpose.dropout || s.style.norms_after;
  a.dbranch = own_dbranch ? carver.take<float>(rows * s.width) : a.dx;
  const bool own_dattention = purpose.dropout && s.style.parallel;
  a.dattention = own_dattention ? carver.take<float>(rows * s.width) : a.dbranch;
  a.dattended = carver.take<float>(rows * s.heads_width());
  a.dqkv = carver.take<float>(rows * s.qkv_width());
  a.dhidden = carver.take<float>(copies * s.ffn);
  a.dup = s.gated() || experts ? carver.take<float>(copies * s.up_width()) : a.dhidden;
  if (experts) {
    a.dmixture = carver.take<float>(copies * s.width);
    a.dgates = carver.take<float>(copies);
    a.dlogits = carver.take<float>(rows * s.experts);
  }
  a.sums = carver.take<float>(a.plan.parts * a.sums_stride);
}

// Cuts the rows into the fewest groups that respect the limit, of equal size except for the last.
std::int64_t group_rows(std::int64_t rows, std::int64_t vocab) {
  const std::int64_t most = std::max(kFewestLogitRows, kMostLogits / vocab);
  const std::int64_t groups = (rows + most - 1) / most;
  return (rows + groups - 1) / groups;
}

// The size of the buffer for packed weights: that of the phase that packs the most. Phases that
// work on all rows at once (RowPlan::wide) do not use it.
std::int64_t packed_floats(const FusedSizes& s, const RowPlan& layers, const RowPlan& head) {
  using kernels::packed_size;
  const std::int64_t feed_forwards = std::max<std::int64_t>(1, s.experts);
  const std::int64_t forward =
      packed_size(s.heads_width(), s.width) + packed_size(s.width, s.qkv_width()) +
      packed_size(s.width, s.experts) +
      feed_forwards * (packed_size(s.width, s.up_width()) + packed_size(s.ffn, s.width));
  const std::int64_t backward =
      std::max({feed_forwards * (packed_size(s.width, s.ffn) + packed_size(s.up_width(), s.width)),
                packed_size(s.width, s.heads_width()), packed_size(s.qkv_width(), s.width),
                packed_size(s.experts, s.width)});
  const std::int64_t both = packed_size(s.width, s.vocab) + packed_size(s.vocab, s.width);
  return std::max(layers.wide ? 0 : std::max(forward, backward), head.wide ? 0 : both);
}

}  // namespace

FusedActivations lay_out(Arena& arena, const FusedSizes& s, std::int64_t sequences,
                         std::int64_t length, const Purpose& purpose) {
  FusedActivations a;
  if (!purpose.forward_only) a.recompute = purpose.recompute;
  a.sequences = sequences;
  a.length = length;
  a.rows = sequences * length;
  a.plan = plan_rows(a.rows, s.width * std::max(s.up_width(), s.qkv_width()));
  a.group = group_rows(a.rows, s.vocab);
  const std::int64_t sums = std::max(4 * s.width + s.up_width(), 2 * s.qkv_width()),
                     of_boundary = s.boundaries.count > 0 ? s.width : 0;
  a.sums_stride = (sums + of_boundary + 15) / 16 * 16;
  const float scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  a.attention = {sequences, length, s.heads, s.kv_heads, s.head_dim, scale};
  a.plan.buffers.scratch_stride =
      (std::max({kernels::attention_forward_scratch(a.attention),
                 kernels::attention_backward_scratch(a.attention), product_scratch()}) +
       31) /
      16 * 16;
  a.packed_floats = packed_floats(s, a.plan, plan_rows(a.group, s.vocab * s.width));
  arena.lay_out([&](Carver& carver) {
    place_layers(a, s, purpose, carver);
    place_boundaries(a, s, purpose, carver);
    place_buffers(a, s, purpose, carver);
  });
  if (a.unit_gain) std::fill_n(a.unit_gain, s.width, 1.0f);
  return a;
}

}  // namespace stagedtrain::model
