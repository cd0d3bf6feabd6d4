// Every entry's moments are as old as those of the entry that they are made of.
#include "grow/histories.h"

#include <algorithm>

#include "arch/architectures.h"

namespace stagedtrain::grow {
namespace {

using state::AgedRegion;
using state::MomentAge;
using state::TensorHistory;

std::vector<AgedRegion> regions_of(const TensorHistory& history, const Corner& size) {
  if (!history.regions.empty()) return history.regions;
  return {{0, 0, size[0], size[1], history.age}};
}

// The part of a source's region that lies in the block, where it comes to stand.
bool carried(const Block& block, const AgedRegion& region, AgedRegion& out) {
  const Corner at{region.row, region.column}, extent{region.rows, region.columns};
  Corner begin, size;
  for (int d = 0; d < 2; ++d) {
    begin[d] = std::max(block.from[d], at[d]);
    size[d] = std::min(block.from[d] + block.extent[d], at[d] + extent[d]) - begin[d];
    if (size[d] <= 0) return false;
    begin[d] += block.to[d] - block.from[d];
  }
  out = {begin[0], begin[1], size[0], size[1], region.age};
  return true;
}

std::vector<std::int64_t> cuts(const std::vector<AgedRegion>& regions, std::int64_t size,
                               std::int64_t AgedRegion::*begin, std::int64_t AgedRegion::*count) {
  std::vector<std::int64_t> at{0, size};
  for (const AgedRegion& r : regions) {
    at.push_back(r.*begin);
    at.push_back(r.*begin + r.*count);
  }
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return at;
}

bool covers(const AgedRegion& r, std::int64_t row, std::int64_t column) {
  return row >= r.row && row < r.row + r.rows && column >= r.column &&
         column < r.column + r.columns;
}

// Joins a region to the last one if both are one run of columns.
void append(std::vector<AgedRegion>& row, const AgedRegion& next) {
  if (!row.empty() && row.back().age == next.age) {
    row.back().columns += next.columns;
  } else {
    row.push_back(next);
  }
}

bool same_columns(const std::vector<AgedRegion>& a, const std::vector<AgedRegion>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.column == y.column && x.columns == y.columns && x.age == y.age;
  });
}

// Known regions, and `rest` everywhere else, as few rectangles that cover the tensor once.
std::vector<AgedRegion> partition(const std::vector<AgedRegion>& known, const Corner& size,
                                  const MomentAge& rest) {
  const auto rows = cuts(known, size[0], &AgedRegion::row, &AgedRegion::rows),
             columns = cuts(known, size[1], &AgedRegion::column, &AgedRegion::columns);
  std::vector<AgedRegion> all, band, last;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    band.clear();
    for (std::size_t j = 0; j + 1 < columns.size(); ++j) {
      MomentAge age = rest;
      for (const AgedRegion& r : known)
        if (covers(r, rows[i], columns[j])) age = r.age;
      append(band, {rows[i], columns[j], rows[i + 1] - rows[i], columns[j + 1] - columns[j], age});
    }
    if (i > 0 && same_columns(band, last)) {
      for (std::size_t k = all.size() - band.size(); k < all.size(); ++k)
        all[k].rows += band.front().rows;
    } else {
      all.insert(all.end(), band.begin(), band.end());
    }
    last = band;
  }
  return all;
}

std::int64_t area(const std::vector<AgedRegion>& regions) {
  std::int64_t sum = 0;
  for (const AgedRegion& r : regions) sum += r.rows * r.columns;
  return sum;
}

bool one_age(const std::vector<AgedRegion>& regions) {
  return std::all_of(regions.begin(), regions.end(),
                     [&](const AgedRegion& r) { return r.age == regions.front().age; });
}

void set_ages(TensorHistory& history, const TensorRecipe& made, const arch::ParamSpec& target,
              const arch::ParamTable& sources, const std::vector<TensorHistory>& from,
              const MomentAge& fresh) {
  std::vector<AgedRegion> known;
  AgedRegion part;
  for (const Block& block : made.gradient)
    for (const AgedRegion& r : regions_of(from[block.source], corner_of(sources[block.source])))
      if (carried(block, r, part)) known.push_back(part);
  if (known.empty()) {
    history.age = fresh;
  } else if (one_age(known) && (area(known) >= target.count() || known.front().age == fresh)) {
    history.age = known.front().age;
  } else {
    history.regions = partition(known, corner_of(target), fresh);
    if (history.regions.size() == 1) {
      history.age = history.regions.front().age;
      history.regions.clear();
    }
  }
}

}  // namespace

std::vector<TensorHistory> grown_histories(const GrowthStep& step,
                                           const std::vector<TensorHistory>& from, std::int64_t now,
                                           std::int64_t generation) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  std::vector<TensorHistory> histories(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TensorRecipe& made = step.tensors[i];
    TensorHistory& history = histories[i];
    const auto& blocks = made.gradient.empty() ? made.value : made.gradient;
    if (!blocks.empty()) {
      const TensorHistory& source = from[blocks.front().source];
      history.generation = source.generation;
      history.lr_scale = source.lr_scale * made.lr_scale;
      history.decay_scale = source.decay_scale * made.decay_scale;
      history.eps_scale = source.eps_scale * made.eps_scale;
    }
    if (made.is_new) history.generation = generation;
    set_ages(history, made, targets[i], sources, from, {now, made.ramp_steps});
  }
  return histories;
}

}  // namespace stagedtrain::grow
