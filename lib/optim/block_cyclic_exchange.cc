// Gathers and scatters blocks in chunks, so that the buffers for sending and receiving stay small.
#include "optim/block_cyclic_exchange.h"

#include <cstring>

namespace stagedtrain::train {
namespace {

// Large enough that latency does not matter: 4 MiB in fp32.
constexpr std::int64_t kBlocksAtOnce = 64;

template <class Body>
void for_chunks(const Range& run, const Body& body) {
  for (std::int64_t begin = run.begin; begin < run.end; begin += kBlocksAtOnce)
    body(Range{begin, std::min(run.end, begin + kBlocksAtOnce)});
}

std::byte* bytes_of(const at::Tensor& flat) { return static_cast<std::byte*>(flat.data_ptr()); }

}  // namespace

std::vector<std::int64_t> BlockCyclicExchange::blocks_of(const Range& run, int rank) const {
  std::vector<std::int64_t> blocks;
  const std::int64_t ranks = ranks_.size();
  for (std::int64_t b = run.begin + (rank - run.begin % ranks + ranks) % ranks; b < run.end;
       b += ranks)
    blocks.push_back(b);
  return blocks;
}

std::int64_t BlockCyclicExchange::elements_of(const Range& run, int rank) const {
  std::int64_t count = 0;
  for (const std::int64_t b : blocks_of(run, rank)) count += elements(b).size();
  return count;
}

void BlockCyclicExchange::gather(const at::Tensor& flat, const Range& run,
                                 std::optional<int> receiver, const Use& use) {
  for_chunks(run, [&](const Range& chunk) { gather_chunk(flat, chunk, receiver, use); });
}

void BlockCyclicExchange::gather_chunk(const at::Tensor& flat, const Range& run,
                                       std::optional<int> receiver, const Use& use) {
  const int ranks = ranks_.size(), rank = ranks_.rank();
  const auto item = static_cast<std::int64_t>(flat.element_size());
  // Every rank sends as many whole blocks as the one that has most.
  const std::int64_t most = (run.size() + ranks - 1) / ranks * kElements * item;
  const auto bytes = at::TensorOptions(at::kByte);
  const at::Tensor part = at::empty({most}, bytes);
  std::int64_t used = 0;
  for (const std::int64_t b : blocks_of(run, rank)) {
    const std::int64_t count = elements(b).size() * item;
    std::memcpy(bytes_of(part) + used, bytes_of(flat) + elements(b).begin * item,
                static_cast<std::size_t>(count));
    used += count;
  }
  const bool receives = !receiver || *receiver == rank;
  const at::Tensor whole = at::empty({receives ? most * ranks : 0}, bytes);
  if (receiver) {
    std::vector<std::int64_t> in(static_cast<std::size_t>(ranks)), out(in.size());
    in[static_cast<std::size_t>(*receiver)] = most;
    if (receives) std::ranges::fill(out, most);
    ranks_.all_to_all(whole, part, out, in);
  } else {
    ranks_.all_gather(whole, part);
  }
  if (!receives) return;
  for (int other = 0; other < ranks; ++other) {
    const std::byte* from = bytes_of(whole) + other * most;
    if (other == rank) continue;
    for (const std::int64_t b : blocks_of(run, other)) {
      use(b, from);
      from += elements(b).size() * item;
    }
  }
}

void BlockCyclicExchange::scatter(const at::Tensor& flat, const Range& run, int senders,
                                  const Add& add) {
  for_chunks(run, [&](const Range& chunk) { scatter_chunk(flat, chunk, senders, add); });
}

void BlockCyclicExchange::scatter_chunk(const at::Tensor& flat, const Range& run, int senders,
                                        const Add& add) {
  const int ranks = ranks_.size(), rank = ranks_.rank();
  const bool sends = rank < senders;
  std::vector<std::int64_t> in_counts, out_counts;
  const std::int64_t own = elements_of(run, rank);
  std::int64_t all = 0;
  for (int other = 0; other < ranks; ++other) {
    in_counts.push_back(sends ? elements_of(run, other) : 0);
    out_counts.push_back(other < senders ? own : 0);
    all += in_counts.back();
  }
  const at::Tensor in = at::empty({all}, at::kFloat);
  const at::Tensor received = at::empty({own * senders}, at::kFloat);
  const float* values = flat.const_data_ptr<float>();
  float* to = in.mutable_data_ptr<float>();
  for (int other = 0; sends && other < ranks; ++other)
    for (const std::int64_t b : blocks_of(run, other)) {
      const Range e = elements(b);
      to = std::copy(values + e.begin, values + e.end, to);
    }
  ranks_.all_to_all(received, in, out_counts, in_counts);
  std::int64_t used = 0;
  for (const std::int64_t b : blocks_of(run, rank)) {
    std::vector<float*> parts;
    for (int other = 0; other < senders; ++other)
      parts.push_back(received.mutable_data_ptr<float>() + other * own + used);
    add(b, parts);
    used += elements(b).size();
  }
}

}  // namespace stagedtrain::train
