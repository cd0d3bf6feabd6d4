// Sums flat buffers over ranks in a fixed order, and decides which rank owns which part of the sum.
#pragma once

#include <vector>

#include "base/sum_order.h"
#include "dist/ranks.h"

namespace stagedtrain::dist {

// A flat buffer is cut into buckets, and each bucket into one slice for each rank, which differ by
// at most kSliceUnit elements. A rank owns its slice of every bucket. Slices begin at multiples of
// kSliceUnit. Work buffers are for one bucket at a time.
class FlatExchange {
 public:
  static constexpr std::int64_t kSliceUnit = 16384;  // kernels::kSumBlock

  // The runs cover a flat buffer once, in the order in which a backward pass completes them. They
  // begin at multiples of kSliceUnit. A bucket consists of adjacent runs that follow one another,
  // or of a part of a run, and buckets are in the order of runs. ranks must outlive this object.
  FlatExchange(Ranks& ranks, const std::vector<Range>& runs);

  std::int64_t size() const { return size_; }
  std::int64_t runs() const { return runs_; }
  // The parts that this rank owns, in ascending order.
  const std::vector<Range>& own() const { return own_; }
  std::int64_t buckets() const { return std::ssize(buckets_); }
  const Range& bucket(std::int64_t index) const {
    return buckets_[static_cast<std::size_t>(index)].range;
  }
  // The number of buckets that are complete if the first `runs` runs are.
  std::int64_t buckets_within(std::int64_t runs) const;

  // nodes[i] is this rank's sum of node i of nodes_of(leaves, rank, ranks). Replaces the part of a
  // bucket of `flat` that this rank owns by the sum over all leaves, in the order of the tree. The
  // other parts are undefined afterwards. flat may be one of the nodes. All ranks must add the
  // buckets in the same order.
  void add(std::int64_t bucket, const at::Tensor& flat, const std::vector<at::Tensor>& nodes,
           std::int64_t leaves);
  // Copies the parts of `flat` that each rank owns to all ranks.
  void gather(const at::Tensor& flat);
  // Does the same, but to rank 0 only.
  void gather_at_first(const at::Tensor& flat);

 private:
  struct Bucket {
    Range range;
    std::int64_t runs;   // how many runs have to be complete
    std::int64_t slice;  // the size of the largest slice
  };
  void add_buckets(const Range& range, std::int64_t runs);
  Range slice_of(const Bucket& bucket, int rank) const;
  at::Tensor workspace(at::Tensor& kept, std::int64_t count, const at::Tensor& like);

  Ranks& ranks_;
  std::int64_t size_ = 0, runs_;
  std::vector<Bucket> buckets_;
  std::vector<Range> own_;
  at::Tensor received_, whole_, part_;
};

}  // namespace stagedtrain::dist
