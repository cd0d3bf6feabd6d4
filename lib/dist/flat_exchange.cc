// Adds flat buffers over ranks by a reduce-scatter and an all-gather with a fixed order of
// additions.
//
// add() takes the buckets one by one. An all-to-all sends each rank the slices that it owns, of
// every node of the tree (sum_order.h) that a rank has summed by itself. The owner adds these nodes
// in the order of the tree. gather() then distributes the sums by an all-gather.
//
// Invariant: an element is summed by one rank, in an order that depends on the number of leaves
// alone. The all-reduce of a backend would be one call, but its order of additions depends on the
// number of ranks, and the losses of a run would depend on it too.
//
// If the leaves do not divide evenly among the ranks, some ranks have several nodes. Then there are
// several rounds, and round r exchanges the r-th node of every rank.
#include "dist/flat_exchange.h"

#include <map>

namespace stagedtrain::dist {
namespace {

// The number of elements of a bucket, rounded up to whole slices; large enough that latency does
// not matter.
constexpr std::int64_t kBucket = 1 << 23;

std::int64_t rounded_up(std::int64_t number, std::int64_t unit) {
  return (number + unit - 1) / unit * unit;
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

FlatExchange::FlatExchange(Ranks& ranks, std::int64_t size) : ranks_(ranks), size_(size) {
  const std::int64_t count = ranks.size();
  const std::int64_t slice = rounded_up((std::min(size, kBucket) + count - 1) / count, kSliceUnit);
  for (std::int64_t begin = 0; begin < size; begin += slice * count) {
    buckets_.push_back({{begin, std::min(size, begin + slice * count)}, slice});
    const Range own = slice_of(buckets_.back(), ranks.rank());
    if (own.size() > 0) own_.push_back(own);
  }
}

Range FlatExchange::slice_of(const Bucket& bucket, int rank) const {
  const std::int64_t begin = bucket.range.begin + rank * bucket.slice;
  return {std::min(begin, bucket.range.end), std::min(begin + bucket.slice, bucket.range.end)};
}

at::Tensor FlatExchange::room(at::Tensor& kept, std::int64_t count, const at::Tensor& like) {
  if (!kept.defined() || kept.numel() < count) kept = at::zeros({count}, like.options());
  return kept.narrow(0, 0, count);
}

void FlatExchange::add_bucket(const Bucket& bucket, const at::Tensor& flat,
                              const std::vector<at::Tensor>& nodes, std::int64_t leaves) {
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
      room(received_, static_cast<std::int64_t>(all_nodes) * bucket.slice, flat);
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

void FlatExchange::add(const at::Tensor& flat, const std::vector<at::Tensor>& nodes,
                       std::int64_t leaves) {
  if (ranks_.alone()) return;
  for (const Bucket& bucket : buckets_) add_bucket(bucket, flat, nodes, leaves);
}

void FlatExchange::gather(const at::Tensor& flat) {
  if (ranks_.alone()) return;
  for (const Bucket& bucket : buckets_) {
    const Range own = slice_of(bucket, ranks_.rank());
    const at::Tensor part = room(part_, bucket.slice, flat);
    const at::Tensor whole = room(whole_, bucket.slice * ranks_.size(), flat);
    part.narrow(0, 0, own.size()).copy_(flat.narrow(0, own.begin, own.size()));
    ranks_.all_gather(whole, part);
    flat.narrow(0, bucket.range.begin, bucket.range.size())
        .copy_(whole.narrow(0, 0, bucket.range.size()));
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
    const at::Tensor whole = room(whole_, bucket.range.size(), flat);
    ranks_.all_to_all(whole.narrow(0, 0, count), flat.narrow(0, own.begin, own.size()), out_counts,
                      in_counts);
    if (count > 0) flat.narrow(0, bucket.range.begin, count).copy_(whole.narrow(0, 0, count));
  }
}

}  // namespace stagedtrain::dist
