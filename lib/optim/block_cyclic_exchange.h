// Exchanges blocks of flat buffers between ranks that own every n-th of them.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/sum_order.h"
#include "dist/ranks.h"

namespace stagedtrain::train {

// A flat buffer is cut into blocks of kElements, of which the last may be shorter. Block b belongs
// to rank b % ranks, so any run of blocks is divided evenly. All calls are collective.
class BlockCyclicExchange {
 public:
  static constexpr std::int64_t kElements = 16384;  // kernels::kSumBlock

  // For buffers of `size` elements on the CPU. ranks must outlive this object.
  BlockCyclicExchange(dist::Ranks& ranks, std::int64_t size) : ranks_(ranks), size_(size) {}

  // The number of blocks, and the elements of a block.
  std::int64_t blocks() const { return (size_ + kElements - 1) / kElements; }
  Range elements(std::int64_t block) const {
    return {block * kElements, std::min(size_, (block + 1) * kElements)};
  }
  int ranks() const { return ranks_.size(); }
  void wait(const std::function<void()>& f) { ranks_.wait(f); }
  bool is_own(std::int64_t block) const { return block % ranks_.size() == ranks_.rank(); }

  // Calls use(block, bytes) for the blocks of other ranks in a run of blocks, with the bytes that
  // their owners have in `flat`. If there is a receiver, it does so on that rank only.
  using Use = std::function<void(std::int64_t block, const std::byte* bytes)>;
  void gather(const at::Tensor& flat, const Range& run, std::optional<int> receiver,
              const Use& use);
  // Sends each of the first `senders` ranks' blocks of a float32 buffer to their owners. Calls
  // add(block, parts) for the blocks of this rank, where parts[r] points to rank r's block. The
  // parts may be overwritten.
  using Add = std::function<void(std::int64_t block, const std::vector<float*>& parts)>;
  void scatter(const at::Tensor& flat, const Range& run, int senders, const Add& add);

 private:
  // The blocks of a rank in a run, and their elements.
  std::vector<std::int64_t> blocks_of(const Range& run, int rank) const;
  std::int64_t elements_of(const Range& run, int rank) const;
  void gather_chunk(const at::Tensor& flat, const Range& run, std::optional<int> receiver,
                    const Use& use);
  void scatter_chunk(const at::Tensor& flat, const Range& run, int senders, const Add& add);

  dist::Ranks& ranks_;
  std::int64_t size_;
};

}  // namespace stagedtrain::train
