// Builds the maps of attention's axes: first of heads as units, then of the entries within them.
#include "widths/head_growth.h"

#include <cmath>

#include "base/error.h"

namespace stagedtrain::grow {
namespace {

// Refuses growths that norms of queries and keys would notice. A norm of each head allows no new
// entries within a head. A norm of all heads together allows only whole copies of all heads.
void check_norms(const arch::ModelConfig& from, const arch::ModelConfig& to, const AxisMap& queries,
                 const AxisMap& groups) {
  const arch::HeadNorms norms = arch::block_style(from).head_norms;
  if (norms == arch::HeadNorms::none) return;
  if (to.head_dim != from.head_dim)
    throw usage_error(
        "head_dim: found {} in {}, expected {} as before: its norms of queries and "
        "keys would see the new entries",
        to.head_dim, from.architecture, from.head_dim)
        .with_hint("add heads instead");
  if (norms == arch::HeadNorms::together && !(queries.even() && groups.even()))
    throw usage_error(
        "heads: found {} ({} of keys and values) in {}, expected whole copies of all "
        "{} ({}): its norms see all heads together",
        to.heads, to.kv_heads, from.architecture, from.heads, from.kv_heads)
        .with_hint("multiply heads by a whole number, with an operator that copies them");
}

struct HeadSources {
  std::vector<std::int64_t> query, group;  // the old head that each new one copies; -1: none
};

void check(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  if (to.heads < from.heads || to.kv_heads < from.kv_heads || to.head_dim < from.head_dim ||
      to.value_dim < from.value_dim)
    throw usage_error(
        "heads: found {} ({} of keys and values) with head_dim {}, but the source has {} ({}) with "
        "{}; expected at least as many, at least as large",
        to.heads, to.kv_heads, to.head_dim, from.heads, from.kv_heads, from.head_dim);
  const std::int64_t before = from.heads / from.kv_heads;
  if (to.heads % to.kv_heads != 0)
    throw usage_error("kv_heads {} does not divide heads {}", to.kv_heads, to.heads);
  const std::int64_t after = to.heads / to.kv_heads;
  if (splits_groups(from, to) ? to.kv_heads % from.kv_heads != 0 : after < before)
    throw usage_error("query heads per key head: found {}, expected at least {} as before", after,
                      before)
        .with_hint(fmt::format("give heads {} with kv_heads {}; or kv_heads alone, as a multiple "
                               "of {} that divides {}",
                               before * to.kv_heads, to.kv_heads, from.kv_heads, from.heads));
}

// Returns which old heads the new ones copy. All copies of a group have copies of the same queries,
// so the gradient of a key is split evenly between its copies.
HeadSources sources_of(const arch::ModelConfig& from, const arch::ModelConfig& to, bool copied,
                       const UnitChoice& choose) {
  HeadSources sources;
  const std::int64_t before = from.heads / from.kv_heads, after = to.heads / to.kv_heads;
  if (splits_groups(from, to)) {
    for (std::int64_t g = 0; g < to.kv_heads; ++g)
      sources.group.push_back(g / (to.kv_heads / from.kv_heads));
    for (std::int64_t h = 0; h < to.heads; ++h) sources.query.push_back(h);
    return sources;
  }
  for (std::int64_t g = 0; g < to.kv_heads; ++g) {
    const bool is_new = g >= from.kv_heads;
    const std::int64_t group = choose(g, from.kv_heads, "groups");
    sources.group.push_back(is_new && !copied ? -1 : group);
    for (std::int64_t i = 0; i < after; ++i)
      sources.query.push_back(
          (is_new || i >= before) && !copied
              ? -1
              : group * before + choose(i, before, fmt::format("queries of group {}", group)));
  }
  return sources;
}

std::int64_t stride_of(const arch::ModelConfig& from, const arch::ModelConfig& to, bool turned) {
  if (!turned || from.head_dim == to.head_dim) return 1;
  if (to.head_dim % from.head_dim != 0)
    throw usage_error(
        "head_dim {} with RoPE, expected a multiple of {}: each old pair must keep "
        "its frequency",
        to.head_dim, from.head_dim);
  return to.head_dim / from.head_dim;
}

}  // namespace

bool splits_groups(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  return to.heads == from.heads && to.kv_heads > from.kv_heads;
}

void grow_heads(AxisGrowth& growth, const arch::ModelConfig& from, const arch::ModelConfig& to,
                bool copied, bool turned, const UnitChoice& choose) {
  check(from, to);
  const HeadSources sources = sources_of(from, to, copied, choose);
  const std::int64_t stride = stride_of(from, to, turned);
  const AxisMap queries = map_units(sources.query, from.heads),
                groups = map_units(sources.group, from.kv_heads);
  check_norms(from, to, queries, groups);
  const auto widened = [](AxisMap map, Rest rest) {
    map.rest = rest;
    return map;
  };
  growth.of(arch::Axis::key) =
      widened(widened_units(groups, from.head_dim, to.head_dim, stride), Rest::random);
  growth.of(arch::Axis::value) =
      widened(widened_units(groups, from.value_dim, to.value_dim, 1), Rest::random);
  growth.of(arch::Axis::heads) =
      widened(widened_units(queries, from.value_dim, to.value_dim, 1), Rest::zero);
  AxisMap& query = growth.of(arch::Axis::query) =
      widened(widened_units(queries, from.head_dim, to.head_dim, stride), Rest::random);
  if (arch::block_style(from).head_norms != arch::HeadNorms::none)
    for (const arch::Axis axis : {arch::Axis::query, arch::Axis::key})
      for (Piece& piece : growth.of(axis).pieces) {
        piece.write *= std::sqrt(growth.norm_share);
        piece.read /= std::sqrt(growth.norm_share);
      }
  if (from.head_dim == to.head_dim) return;
  // The new entries of queries are zero, because they multiply random new entries of keys. In new
  // heads that are not copies, all entries of queries are.
  query.rest = Rest::zero;
  const double scale =
      std::sqrt(static_cast<double>(to.head_dim) / static_cast<double>(from.head_dim));
  for (Piece& piece : query.pieces) {
    piece.write *= scale;
    piece.read /= scale;
  }
}

}  // namespace stagedtrain::grow
