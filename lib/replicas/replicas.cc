// Compares checksums of tensors over ranks.
#include "replicas/replicas.h"

#include <algorithm>
#include <span>

#include "base/crc32c.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

// Returns the kinds of tensors that every rank has whole.
std::vector<state::TensorKind> compared_kinds(const DeviceState& live, bool weights_only) {
  std::vector<state::TensorKind> kinds;
  for (const state::TensorKind kind : live.header.kinds()) {
    const bool moment = kind == state::TensorKind::exp_avg || kind == state::TensorKind::exp_avg_sq;
    if (!weights_only || !moment) kinds.push_back(kind);
  }
  return kinds;
}

// Returns one checksum for each tensor of each kind.
std::vector<double> checksums(DeviceState& live, const std::vector<state::TensorKind>& kinds) {
  model::ParamBuffer& params = live.model->params();
  std::vector<double> sums;
  at::Tensor buffer;
  for (const state::TensorKind kind : kinds)
    for (std::size_t i = 0; i < params.table().size(); ++i)
      sums.push_back(crc32c(params.get(kind, i, buffer)));
  return sums;
}

std::vector<double> from_all(dist::Ranks& ranks, const std::vector<double>& own) {
  std::vector<double> all(own.size() * static_cast<std::size_t>(ranks.size()));
  std::ranges::copy(own, all.begin() + static_cast<std::ptrdiff_t>(own.size()) * ranks.rank());
  ranks.sum(all);
  return all;
}

// Returns the ranks whose value differs from the most frequent one. Of two equally frequent values,
// that of the lower rank counts.
std::vector<std::string> odd_ranks(const std::vector<double>& all, std::size_t stride,
                                   std::size_t at) {
  std::vector<double> values;
  for (std::size_t i = at; i < all.size(); i += stride) values.push_back(all[i]);
  const auto most = std::ranges::max_element(
      values, {}, [&](double value) { return std::ranges::count(values, value); });
  std::vector<std::string> odd;
  for (std::size_t rank = 0; rank < values.size(); ++rank)
    if (values[rank] != *most) odd.push_back(std::to_string(rank));
  return odd;
}

std::string tensor_name(DeviceState& live, const std::vector<state::TensorKind>& kinds,
                        std::size_t index) {
  const arch::ParamTable& table = live.model->params().table();
  return fmt::format("{} of {}", kind_name(kinds[index / table.size()]),
                     table[index % table.size()].name);
}

}  // namespace

void check_replicas(dist::Ranks& ranks, DeviceState& live, bool weights_only) {
  if (ranks.alone() || live.model->shards()) return;
  const std::vector<state::TensorKind> kinds = compared_kinds(live, weights_only);
  const std::vector<double> own = checksums(live, kinds);
  const double whole = crc32c(std::as_bytes(std::span(own)));
  const std::vector<double> wholes = from_all(ranks, {whole});
  if (std::ranges::all_of(wholes, [&](double other) { return other == wholes[0]; })) return;
  const std::vector<double> all = from_all(ranks, own);
  for (std::size_t i = 0; i < own.size(); ++i) {
    const std::vector<std::string> odd = odd_ranks(all, own.size(), i);
    if (odd.empty()) continue;
    throw ranks.agreed(
        resource_error("after step {}: {} is not the same on all ranks: it differs on rank {} from "
                       "the others",
                       live.header.progress.step, tensor_name(live, kinds, i), join(odd, ", "))
            .with_hint("that rank's host has faulty memory, a faulty processor or different "
                       "libraries; nothing was saved from this state; run the same command again, "
                       "without that host, to continue from the last checkpoint"));
  }
}

}  // namespace stagedtrain::train
