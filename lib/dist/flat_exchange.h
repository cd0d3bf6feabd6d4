// Sums of flat buffers over ranks, in a fixed order, and who owns which part of the result.
#pragma once

#include <vector>

#include "dist/ranks.h"
#include "dist/sum_order.h"

namespace stagedtrain::dist {

// A flat buffer is cut into buckets, each bucket into one equal slice for each rank: the slices of
// a rank are its own. Slices begin at multiples of kSliceUnit. Buffers for one bucket are all the
// memory that this takes.
class FlatExchange {
 public:
  static constexpr std::int64_t kSliceUnit = 16384;  // kernels::kSumBlock

  // For buffers of `size` elements. ranks must outlive it.
  FlatExchange(Ranks& ranks, std::int64_t size);

  std::int64_t size() const { return size_; }
  const std::vector<Range>& own() const { return own_; }

  // nodes: what this rank has added up for each of nodes_of(leaves, rank, ranks), in their order.
  // The own parts of `flat` become the sum over all leaves, in the order of the tree; what is in
  // its other parts is of no use then. flat may be one of the nodes.
  void add(const at::Tensor& flat, const std::vector<at::Tensor>& nodes, std::int64_t leaves);
  // Every rank's own parts of `flat` come to all.
  void gather(const at::Tensor& flat);
  // The same, but to rank 0 alone.
  void gather_at_first(const at::Tensor& flat);

 private:
  struct Bucket {
    Range range;
    std::int64_t slice = 0;
  };
  Range slice_of(const Bucket& bucket, int rank) const;
  void add_bucket(const Bucket& bucket, const at::Tensor& flat,
                  const std::vector<at::Tensor>& nodes, std::int64_t leaves);
  at::Tensor room(at::Tensor& kept, std::int64_t count, const at::Tensor& like);

  Ranks& ranks_;
  std::int64_t size_;
  std::vector<Bucket> buckets_;
  std::vector<Range> own_;
  at::Tensor received_, whole_, part_;
};

}  // namespace stagedtrain::dist
