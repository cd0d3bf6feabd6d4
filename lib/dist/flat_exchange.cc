// Adds flat buffers over ranks by a reduce-scatter and an all-gather with a fixed order of
// additions.
//
// add() takes one bucket, so that a backward pass can go on meanwhile. An all-to-all sends each
// rank the slices that it owns, of every node of the tree (sum_order.h) that a rank has summed by
// itself. The owner adds these nodes in the order of the tree. gather() then distributes the sums
// by an all-gather.
//
// Invariant: an element is summed by one rank, in an order that depends on the number of leaves
// alone. The all-reduce of a backend would be one call, but its order of additions depends on the
// number of ranks, and the losses of a run would depend on it too.
//
// If the leaves do not divide evenly among the ranks, some ranks have several nodes. Then there are
// several rounds, and round r exchanges the r-th node of every rank.
#include "dist/flat_exchange.h"

#include <map>
#include <span>
#include <utility>

namespace stagedtrain::dist {
namespace {

// The least and the most elements of a bucket, but for the last one: so large that latency does not
// matter (4 MiB in fp32), and so small that the first ones leave early and the work buffers take
// little memory (16 MiB).
constexpr std::int64_t kLeast = 1 << 20, kMost = 1 << 22;

std::int64_t units_in(std::int64_t elements) {
  return (elements + FlatExchange::kSliceUnit - 1) / FlatExchange::kSliceUnit;
}

// Returns the sum of a node. pieces holds the nodes that ranks have summed, by their first leaf,
// and is overwritten by partial sums.
at::Tensor add_up(const Range& node, std::map<std::int64_t, std::pair<Range, at::Tensor>>& pieces) {
  const auto piece = pieces.find(node.begin);
  if (piece != pieces.end() && piece->second.first == node) return piece->second.second;
  const std::int64_t middle = middle_of(node);
  const at::Tensor left = add_up({node.begin, middle}, pieces);
  return left.add_(add_up({middle, node.end}, pieces));
}

}  // namespace

FlatExchange::FlatExchange(Ranks& ranks, const std::vector<Range>& runs)
    : ranks_(ranks), runs_(std::ssize(runs)) {
  Range open;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    ST_CHECK(runs[i].begin % kSliceUnit == 0, "a run begins at {}", runs[i].begin);
    size_ += runs[i].size();
    if (open.size() > 0 && (open.begin != runs[i].end || open.size() >= kLeast)) {
      add_buckets(open, static_cast<std::int64_t>(i));
      open = {};
    }
    open = {runs[i].begin, open.size() > 0 ? open.end : runs[i].end};
  }
  add_buckets(open, std::ssize(runs));
  for (const Bucket& bucket : buckets_) {
    const Range own = slice_of(bucket, ranks.rank());
    if (own.size() > 0) own_.push_back(own);
  }
  std::ranges::sort(own_, {}, &Range::begin);
}

// Cuts a range that is complete after this many runs into buckets of about the same size.
void FlatExchange::add_buckets(const Range& range, std::int64_t runs) {
  const std::int64_t units = units_in(range.size()), count = (range.size() + kMost - 1) / kMost;
  for (std::int64_t i = 0; i < count; ++i) {
    const Range part = part_of(units, i, count);
    const std::int64_t slice = (part.size() + ranks_.size() - 1) / ranks_.size() * kSliceUnit;
    buckets_.push_back({{range.begin + part.begin * kSliceUnit,
                         std::min(range.end, range.begin + part.end * kSliceUnit)},
                        runs,
                        slice});
  }
}

std::int64_t FlatExchange::buckets_within(std::int64_t runs) const {
  return std::ranges::upper_bound(buckets_, runs, {}, &Bucket::runs) - buckets_.begin();
}

Range FlatExchange::slice_of(const Bucket& bucket, int rank) const {
  const Range& all = bucket.range;
  const Range units = part_of(units_in(all.size()), rank, ranks_.size());
  return {std::min(all.end, all.begin + units.begin * kSliceUnit),
          std::min(all.end, all.begin + units.end * kSliceUnit)};
}

at::Tensor FlatExchange::workspace(at::Tensor& kept, std::int64_t count, const at::Tensor& like) {
  if (!kept.defined() || kept.numel() < count) kept = at::zeros({count}, like.options());
  return kept.narrow(0, 0, count);
}

void FlatExchange::add(std::int64_t index, const at::Tensor& flat,
                       const std::vector<at::Tensor>& nodes, std::int64_t leaves) {
  if (ranks_.alone()) return;
  const Bucket& bucket = buckets_[static_cast<std::size_t>(index)];
  const int size = ranks_.size();
  const Range own = slice_of(bucket, ranks_.rank());
  std::vector<std::vector<Range>> of_ranks;
  std::size_t rounds = 0, all_nodes = 0;
  for (int rank = 0; rank < size; ++rank) {
    of_ranks.push_back(nodes_of(leaves, rank, size));
    rounds = std::max(rounds, of_ranks.back().size());
    all_nodes += of_ranks.back().size();
  }
  std::map<std::int64_t, std::pair<Range, at::Tensor>> pieces;
  std::int64_t used = 0;
  const at::Tensor received =
      workspace(received_, static_cast<std::int64_t>(all_nodes) * bucket.slice, flat);
  for (std::size_t round = 0; round < rounds; ++round) {  // one round if the leaves divide evenly
    const bool sends = round < nodes.size();
    std::vector<std::int64_t> in_counts, out_counts;
    const std::int64_t begin = used;
    for (int rank = 0; rank < size; ++rank) {
      in_counts.push_back(sends ? slice_of(bucket, rank).size() : 0);
      const bool comes = round < of_ranks[static_cast<std::size_t>(rank)].size();
      out_counts.push_back(comes ? own.size() : 0);
      if (!comes) continue;
      const Range node = of_ranks[static_cast<std::size_t>(rank)][round];
      pieces[node.begin] = {node, received.narrow(0, used, own.size())};
      used += own.size();
    }
    const at::Tensor in = sends ? nodes[round].narrow(0, bucket.range.begin, bucket.range.size())
                                : flat.narrow(0, 0, 0);
    ranks_.all_to_all(received.narrow(0, begin, used - begin), in, out_counts, in_counts);
  }
  if (own.size() > 0) flat.narrow(0, own.begin, own.size()).copy_(add_up({0, leaves}, pieces));
}

// Nothing else runs meanwhile, so as many buckets as fit into a work buffer are gathered at once.
void FlatExchange::gather(const at::Tensor& flat) {
  if (ranks_.alone()) return;
  const auto all = std::span(std::as_const(buckets_));
  for (std::size_t first = 0, end = 0; first < all.size(); first = end) {
    std::int64_t elements = 0, slices = 0;
    for (; end < all.size() && (end == first || elements + all[end].range.size() <= kMost); ++end) {
      elements += all[end].range.size();
      slices += all[end].slice;
    }
    const at::Tensor part = workspace(part_, slices, flat);
    const at::Tensor whole = workspace(whole_, slices * ranks_.size(), flat);
    const auto for_slices = [&](int rank, const at::Tensor& packed, const auto& body) {
      std::int64_t at = 0;
      for (const Bucket& bucket : all.subspan(first, end - first)) {
        const Range slice = slice_of(bucket, rank);
        body(packed.narrow(0, at, slice.size()), flat.narrow(0, slice.begin, slice.size()));
        at += bucket.slice;
      }
    };
    for_slices(ranks_.rank(), part,
               [](const at::Tensor& to, const at::Tensor& from) { to.copy_(from); });
    ranks_.all_gather(whole, part);
    for (int rank = 0; rank < ranks_.size(); ++rank)
      for_slices(rank, whole.narrow(0, rank * slices, slices),
                 [](const at::Tensor& from, const at::Tensor& to) { to.copy_(from); });
  }
}

void FlatExchange::gather_at_first(const at::Tensor& flat) {
  if (ranks_.alone()) return;
  for (const Bucket& bucket : buckets_) {
    const Range own = slice_of(bucket, ranks_.rank());
    std::vector<std::int64_t> in_counts(static_cast<std::size_t>(ranks_.size())), out_counts;
    in_counts[0] = own.size();
    for (int rank = 0; rank < ranks_.size(); ++rank)
      out_counts.push_back(ranks_.first() ? slice_of(bucket, rank).size() : 0);
    const std::int64_t count = ranks_.first() ? bucket.range.size() : 0;
    const at::Tensor whole = workspace(whole_, bucket.range.size(), flat);
    ranks_.all_to_all(whole.narrow(0, 0, count), flat.narrow(0, own.begin, own.size()), out_counts,
                      in_counts);
    if (count > 0) flat.narrow(0, bucket.range.begin, count).copy_(whole.narrow(0, 0, count));
  }
}

}  // namespace stagedtrain::dist
