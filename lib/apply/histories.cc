// Computes the ages of moments after a growth: the moments of an entry are as old as the moments
// that they are made of.
//
// Adam divides a moment by 1 - beta^t, where t is the number of steps since the moment was zero. A
// growth zeroes the moments of some entries and keeps those of others, so one tensor may have
// several ages. They are stored as rectangles (AgedRegion). A gradient block carries the regions of
// its source to its own place. Entries that no block covers have just been zeroed.
//
// Where an entry averages moments of different ages (interpolate; coalesce and context after an
// earlier growth that left regions), no t is right for every beta. With weights w_i that sum to 1,
// the average of exp_avg_sq needs
//   1 - beta2^t = sum_i w_i (1 - beta2^t_i),   so   t = log(sum_i w_i beta2^t_i) / log(beta2)
// A growth does not know the optimizer, so beta2 is taken to be 0.999, Adam's default. With a
// smaller beta2, bias correction ends earlier, so the error affects only young moments, and there
// the errors of the two moments nearly cancel in the update.
//
// Invariant: the regions of a tensor cover it exactly once, and an average of equal ages has
// exactly that age.
//
// Rejected: the mean of the ages. For 5,000 and 100 steps with equal weights it is 2,550, at which
// exp_avg_sq counts as almost complete although half of it is young. The next updates would be 1.3
// times too large.
#include "apply/histories.h"

#include <algorithm>
#include <cmath>

#include "arch/architectures.h"
#include "base/signals.h"

namespace stagedtrain::grow {
namespace {

using state::AgedRegion;
using state::MomentAge;
using state::TensorHistory;

// The beta2 in the formula above.
constexpr double kBeta2 = 0.999;

// Moments of one age in a rectangle of the result, either alone or as a term of an average.
struct Term {
  AgedRegion region;
  double weight = 1;
};

std::vector<AgedRegion> regions_of(const TensorHistory& history, const Corner& size) {
  if (!history.regions.empty()) return history.regions;
  return {{0, 0, size[0], size[1], history.age}};
}

// Returns whether the block reads a part of this region of its source. If so, sets out.region to
// the place of that part in the result. Along a dimension that the block averages, the part covers
// the whole block, and out.weight is multiplied by its share of the average.
bool carried(const Block& block, const AgedRegion& region, Term& out) {
  const Corner at{region.row, region.column}, extent{region.rows, region.columns};
  Corner begin, size;
  for (int d = 0; d < 2; ++d) {
    const bool averaged =
        block.kind == (d == 0 ? Block::Kind::mean_rows : Block::Kind::mean_columns);
    const std::int64_t read = averaged ? block.span : block.extent[d];
    begin[d] = std::max(block.from[d], at[d]);
    size[d] = std::min(block.from[d] + read, at[d] + extent[d]) - begin[d];
    if (size[d] <= 0) return false;
    begin[d] += block.to[d] - block.from[d];
    if (averaged) {
      out.weight *= static_cast<double>(size[d]) / static_cast<double>(read);
      begin[d] = block.to[d];
      size[d] = block.extent[d];
    }
  }
  out.region = {begin[0], begin[1], size[0], size[1], region.age};
  return true;
}

// Returns 0, `size`, and every row (or column) at which a term begins or ends, in ascending order.
std::vector<std::int64_t> cuts(const std::vector<Term>& terms, std::int64_t size,
                               std::int64_t AgedRegion::*begin, std::int64_t AgedRegion::*count) {
  std::vector<std::int64_t> at{0, size};
  for (const Term& term : terms) {
    at.push_back(term.region.*begin);
    at.push_back(term.region.*begin + term.region.*count);
  }
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return at;
}

// Returns the terms in each band of rows between two cuts.
std::vector<std::vector<const Term*>> terms_by_band(const std::vector<Term>& terms,
                                                    const std::vector<std::int64_t>& rows) {
  std::vector<std::vector<const Term*>> bands(rows.size() - 1);
  for (const Term& term : terms) {
    const auto first = std::lower_bound(rows.begin(), rows.end(), term.region.row);
    for (auto row = first; *row < term.region.row + term.region.rows; ++row)
      bands[static_cast<std::size_t>(row - rows.begin())].push_back(&term);
  }
  return bands;
}

// Returns the age of the entries of a band in the interval of columns that begins at `column`, or
// `rest` if no term covers them.
MomentAge age_at(const std::vector<const Term*>& band, std::int64_t column, const MomentAge& rest,
                 std::int64_t now) {
  std::vector<AgedTerm> here;
  for (const Term* term : band)
    if (column >= term->region.column && column < term->region.column + term->region.columns)
      here.push_back({term->weight, term->region.age});
  return here.empty() ? rest : mixed_age(here, now);
}

// Adds a region to its band, or extends the previous region if that has the same age.
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

// Returns the ages of the terms, and `rest` where there is none, as rectangles that cover the
// tensor exactly once. Neighbours of the same age are joined, so that there are few.
std::vector<AgedRegion> partition(const std::vector<Term>& terms, const Corner& size,
                                  const MomentAge& rest, std::int64_t now) {
  const auto rows = cuts(terms, size[0], &AgedRegion::row, &AgedRegion::rows),
             columns = cuts(terms, size[1], &AgedRegion::column, &AgedRegion::columns);
  const auto bands = terms_by_band(terms, rows);
  std::vector<AgedRegion> all, band, last;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    stop_point("growing");
    band.clear();
    for (std::size_t j = 0; j + 1 < columns.size(); ++j)
      append(band, {rows[i], columns[j], rows[i + 1] - rows[i], columns[j + 1] - columns[j],
                    age_at(bands[i], columns[j], rest, now)});
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

// Returns the moments that the blocks of a tensor carry, weighted by their scales in exp_avg_sq.
std::vector<Term> terms_of(const TensorRecipe& made, const arch::ParamTable& sources,
                           const std::vector<Histories>& states) {
  std::vector<Term> terms;
  for (const Block& block : made.gradient) {
    const double weight = made.moments_copied ? block.scale : block.scale * block.scale;
    if (weight == 0) continue;
    const TensorHistory& source = states[block.state][block.source];
    for (const AgedRegion& region : regions_of(source, corner_of(sources[block.source]))) {
      Term term{{}, weight};
      if (carried(block, region, term)) terms.push_back(term);
    }
  }
  return terms;
}

bool one_age(const std::vector<Term>& terms) {
  return std::all_of(terms.begin(), terms.end(),
                     [&](const Term& term) { return term.region.age == terms.front().region.age; });
}

// Returns the number of entries that the blocks of the gradient cover.
std::int64_t covered(const TensorRecipe& made) {
  std::int64_t count = 0;
  for (const Block& block : made.gradient)
    if (!block.add) count += block.extent[0] * block.extent[1];
  return count;
}

void set_ages(TensorHistory& history, const TensorRecipe& made, const arch::ParamSpec& target,
              const arch::ParamTable& sources, const std::vector<Histories>& states,
              const MomentAge& fresh) {
  const std::vector<Term> terms = terms_of(made, sources, states);
  if (terms.empty()) {
    history.age = fresh;
  } else if (one_age(terms) &&
             (covered(made) == target.count() || terms.front().region.age == fresh)) {
    history.age = terms.front().region.age;
  } else {
    history.regions = partition(terms, corner_of(target), fresh, fresh.start);
    if (history.regions.size() == 1) {
      history.age = history.regions.front().age;
      history.regions.clear();
    }
  }
}

}  // namespace

Histories counted_from(Histories histories, std::int64_t steps, std::int64_t now) {
  for (TensorHistory& history : histories) {
    history.age.start += now - steps;
    for (AgedRegion& region : history.regions) region.age.start += now - steps;
  }
  return histories;
}

MomentAge mixed_age(const std::vector<AgedTerm>& terms, std::int64_t now) {
  const auto same = [&](const AgedTerm& term) { return term.age == terms.front().age; };
  if (std::all_of(terms.begin(), terms.end(), same)) return terms.front().age;
  MomentAge mixed = terms.front().age;
  double total = 0, left = 0;  // left: the mean of beta2^(t_i - t), where t is the lowest age
  for (const AgedTerm& term : terms) {
    mixed.start = std::max(mixed.start, term.age.start);
    mixed.ramp_steps = std::min(mixed.ramp_steps, term.age.ramp_steps);
    total += term.weight;
  }
  const auto youngest = static_cast<double>(now - mixed.start);
  for (const AgedTerm& term : terms)
    left += term.weight / total *
            std::pow(kBeta2, static_cast<double>(now - term.age.start) - youngest);
  mixed.start = now - std::llround(youngest + std::log(left) / std::log(kBeta2));
  return mixed;
}

Histories grown_histories(const GrowthStep& step, const std::vector<Histories>& states,
                          std::int64_t now, std::int64_t generation) {
  const Histories& from = states.front();
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  const TensorHistory none;
  Histories histories(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    stop_point("growing");
    const TensorRecipe& made = step.tensors[i];
    TensorHistory& history = histories[i];
    const TensorHistory& source = made.heir_of ? from[*made.heir_of] : none;
    history.generation = source.generation;
    history.lr_scale = source.lr_scale * made.lr_scale;
    history.decay_scale = source.decay_scale * made.decay_scale;
    history.eps_scale = source.eps_scale * made.eps_scale;
    if (made.is_new) history.generation = generation;
    set_ages(history, made, targets[i], sources, states, {now, made.ramp_steps});
  }
  return histories;
}

}  // namespace stagedtrain::grow
