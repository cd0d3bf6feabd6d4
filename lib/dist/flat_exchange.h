// Sums flat buffers over ranks in a fixed order, and decides which rank owns which part of the sum.
#pragma once

#include <vector>

#include "base/sum_order.h"
#include "dist/ranks.h"

namespace stagedtrain::dist {

// A flat buffer is cut into buckets, and each bucket into one slice for each rank, all of the same
// size except at the end of the buffer. A rank owns its slice of every bucket. Slices begin at
// multiples of kSliceUnit. Work buffers are for one bucket at a time.
class FlatExchange {
 public:
  static constexpr std::int64_t kSliceUnit = 16384;  // kernels::kSumBlock

  // For buffers of `size` elements. ranks must outlive this object.
  FlatExchange(Ranks& ranks, std::int64_t size);

  std::int64_t size() const { return size_; }
  const std::vector<Range>& own() const { return own_; }

  // nodes[i] is this rank's sum of node i of nodes_of(leaves, rank, ranks). Replaces the parts of
  // `flat` that this rank owns by the sum over all leaves, in the order of the tree. The other
  // parts are undefined afterwards. flat may be one of the nodes.
  void add(const at::Tensor& flat, const std::vector<at::Tensor>& nodes, std::int64_t leaves);
  // Copies the parts of `flat` that each rank owns to all ranks.
  void gather(const at::Tensor& flat);
  // Does the same, but to rank 0 only.
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
