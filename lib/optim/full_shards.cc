// Gathers weights unit by unit, and sums gradients of all ranks in a fixed order.
//
// The ranks take the leaves of a step in turns: in pass p, rank r computes leaf p * ranks + r. So
// the leaves that are added first are ready together, and an owner keeps few partial sums: one for
// each bit of the number of leaves that it has added. If each rank took a run of leaves instead,
// as without shards, an owner would have to keep a part of the sums of every rank, which together
// are as large as all gradients.
//
// While a block runs, the next one is gathered on another thread: in a forward pass during its
// attention, since the block that runs needs the next one's first matrices, too; in a backward pass
// during all of it. Which one is next follows from the order of calls, so it is the same on all
// ranks. At most two blocks are complete at a time.
//
// A pass that leaves out blocks makes the calls for these all the same, so that ranks whose passes
// leave out different ones fetch and add the same blocks in the same order. What is fetched with a
// unit is what the unit before it does not hold, whatever was released meanwhile.
//
// Invariant: the additions are those of base/sum_order.h, whose nodes are those of a binary
// counter: a complete node has 2^j leaves, and at the end the nodes that are left are added from
// the last to the first.
#include "optim/full_shards.h"

#include <cstring>

#include "io/given_back.h"
#include "kernels/adamw.h"
#include "optim/matrix_units.h"

namespace stagedtrain::train {

static_assert(BlockCyclicExchange::kElements == kernels::kSumBlock);

FullShards::FullShards(dist::Ranks& ranks, model::ParamBuffer& params)
    : params_(params), exchange_(ranks, params.weights().numel()) {
  find_units();
  for (std::int64_t b = 0; b < exchange_.blocks(); ++b)
    if (exchange_.is_own(b)) own_.push_back(exchange_.elements(b));
  users_.resize(static_cast<std::size_t>(exchange_.blocks()));
}

void FullShards::find_units() {
  constexpr std::int64_t kBlock = BlockCyclicExchange::kElements;
  const MatrixUnits units = matrix_units(params_);
  head_ = units.head;
  complete_block_ = units.runs.back().end / kBlock;
  for (const Range& run : units.runs) {
    const Range begins = blocks_begun_in(run, kBlock, complete_block_);
    units_.push_back({run, {std::min(run.begin / kBlock, complete_block_), begins.end}, begins});
  }
  added_.resize(units_.size());
}

std::int64_t FullShards::complete_from() const {
  return complete_block_ * BlockCyclicExchange::kElements;
}

// The weights that the model computes with.
const at::Tensor& FullShards::computed() const {
  return params_.copy().defined() ? params_.copy() : params_.weights();
}

void FullShards::fetch(const at::Tensor& flat, const Range& run) {
  const auto item = static_cast<std::int64_t>(flat.element_size());
  exchange_.gather(flat, run, {}, [&](std::int64_t block, const std::byte* bytes) {
    const Range e = exchange_.elements(block);
    std::memcpy(static_cast<std::byte*>(flat.data_ptr()) + e.begin * item, bytes,
                static_cast<std::size_t>(e.size() * item));
  });
}

// Counts a user of a unit's blocks. Returns the runs of blocks that have to be fetched for it.
std::vector<Range> FullShards::add_user(std::int64_t unit) {
  const Range& blocks = units_[static_cast<std::size_t>(unit)].holds;
  std::vector<Range> missing;
  for (std::int64_t b = blocks.begin; b < blocks.end; ++b) {
    if (users_[static_cast<std::size_t>(b)]++ > 0) continue;
    if (missing.empty() || missing.back().end != b) missing.push_back({b, b});
    missing.back().end = b + 1;
  }
  return missing;
}

// Gathers a unit on another thread. Until finish_ahead(), this thread makes no collective call.
void FullShards::fetch_ahead(std::int64_t unit) {
  finish_ahead();
  ahead_ = unit;
  fetching_ = std::async(std::launch::async, [this, missing = add_user(unit)] {
    for (const Range& run : missing) fetch(computed(), run);
  });
}

void FullShards::finish_ahead() {
  if (fetching_.valid()) exchange_.wait([&] { fetching_.get(); });
}

// Where a backward pass ends above frozen blocks, the unit that came ahead is not used.
void FullShards::drop_ahead() {
  finish_ahead();
  if (ahead_) give_up(*ahead_);
  ahead_.reset();
}

void FullShards::call_skipped_before(std::int64_t unit) {
  if (!skips_) return;
  if (next_ == 0 && unit == 0) {  // the embeddings
    next_ = 1;
  } else if (unit == head_) {
    for (; !backward_ && next_ <= blocks(); ++next_) {
      acquire_next(next_);
      release(next_);
    }
    if (!backward_) next_ = blocks();
    backward_ = true;
  } else if (backward_) {
    call_skipped_in_backward(unit);
  } else {
    for (; next_ < unit; ++next_) {
      acquire_next(next_);
      release(next_);
    }
    next_ = unit + 1;
  }
}

void FullShards::call_skipped_in_backward(std::int64_t unit) {
  for (; next_ > unit; --next_) {
    acquire_next(next_);
    release(next_);
    complete_next(next_);
  }
  next_ = unit - 1;
}

void FullShards::acquire(std::int64_t unit) {
  call_skipped_before(unit);
  acquire_next(unit);
}

void FullShards::acquire_next(std::int64_t unit) {
  finish_ahead();
  if (unit != head_ && ahead_ != unit) drop_ahead();
  if (pending_ == unit) {
    pending_.reset();
  } else if (ahead_ == unit) {
    if (unit != head_) give_up_pending();
    ahead_.reset();
  } else {
    const std::vector<Range> missing = add_user(unit);
    if (unit != head_) give_up_pending();
    for (const Range& run : missing) fetch(computed(), run);
  }
  if (unit == head_) return;
  const bool backward = unit == last_ || unit + 1 == last_;
  last_ = unit;
  if (backward && unit > 1) fetch_ahead(unit - 1);
}

// A forward pass releases a block while it holds the next one, so the one after that can come.
void FullShards::release(std::int64_t unit) {
  if (pending_ && unit == head_) return give_up(unit);
  give_up_pending();
  pending_ = unit;
  if (unit + 1 != last_ || last_ == blocks()) return;
  give_up_pending();
  fetch_ahead(last_ + 1);
}

void FullShards::give_up_pending() {
  if (pending_) give_up(*pending_);
  pending_.reset();
}

void FullShards::give_up(std::int64_t unit) {
  const Range& blocks = units_[static_cast<std::size_t>(unit)].holds;
  for (std::int64_t b = blocks.begin; b < blocks.end; ++b)
    if (--users_[static_cast<std::size_t>(b)] == 0 && !exchange_.is_own(b)) clear(computed(), b);
}

// Sets a block to zero and gives its memory back.
void FullShards::clear(const at::Tensor& flat, std::int64_t block) const {
  const Range e = exchange_.elements(block);
  const at::Tensor part = flat.narrow(0, e.begin, e.size());
  if (e.size() < BlockCyclicExchange::kElements) part.zero_();  // it may end within a page
  give_back(part.data_ptr(), part.nbytes());
}

void FullShards::begin_pass(std::int64_t first, std::int64_t leaves, bool skips) {
  skips_ = skips;
  backward_ = false;
  next_ = 0;
  first_ = first;
  leaves_ = leaves;
  added_.assign(units_.size(), false);
}

void FullShards::gradient_is_complete(std::int64_t unit) {
  if (skips_ && unit == 0) call_skipped_in_backward(0);
  complete_next(unit);
}

void FullShards::complete_next(std::int64_t unit) {
  finish_ahead();
  added_[static_cast<std::size_t>(unit)] = true;
  add_gradients(units_[static_cast<std::size_t>(unit)].begins);
}

void FullShards::end_pass() {
  drop_ahead();
  for (std::size_t unit = units_.size(); unit-- > 0;)
    if (!added_[unit]) add_gradients(units_[unit].begins);
  add_gradients({complete_block_, exchange_.blocks()});
  skips_ = false;
}

void FullShards::add_gradients(const Range& run) {
  const auto senders =
      static_cast<int>(std::min<std::int64_t>(exchange_.ranks(), leaves_ - first_));
  exchange_.scatter(
      params_.grads(), run, senders,
      [&](std::int64_t block, const std::vector<float*>& parts) { add_leaves(block, parts); });
  for (std::int64_t b = run.begin; b < run.end; ++b)
    if (!last_pass() || !exchange_.is_own(b)) clear(params_.grads(), b);
}

float* FullShards::level_at(std::size_t level, std::int64_t element) {
  while (levels_.size() <= level) levels_.push_back(params_.flat_zeros(at::kFloat));
  return levels_[level].mutable_data_ptr<float>() + element;
}

// parts hold the leaves from first_ on.
void FullShards::add_leaves(std::int64_t block, const std::vector<float*>& parts) {
  const Range e = exchange_.elements(block);
  const auto add = [&](const float* left, float* right) {
    for (std::int64_t i = 0; i < e.size(); ++i) right[i] = left[i] + right[i];
  };
  std::vector<float*> nodes;  // one for each level; null: none
  std::vector<bool> is_new;
  for (std::size_t j = 0; first_ >> j; ++j) {
    nodes.push_back((first_ >> j) & 1 ? level_at(j, e.begin) : nullptr);
    is_new.push_back(false);
  }
  for (float* sum : parts) {
    std::size_t j = 0;
    for (; j < nodes.size() && nodes[j]; ++j) {
      add(nodes[j], sum);
      nodes[j] = nullptr;
    }
    if (j == nodes.size()) {
      nodes.push_back(nullptr);
      is_new.push_back(false);
    }
    nodes[j] = sum;
    is_new[j] = true;
  }
  if (!last_pass()) {
    for (std::size_t j = 0; j < nodes.size(); ++j)
      if (nodes[j] && is_new[j]) std::copy_n(nodes[j], e.size(), level_at(j, e.begin));
    return;
  }
  float* to = params_.grads().mutable_data_ptr<float>() + e.begin;
  bool first = true;
  for (float* node : nodes) {
    if (!node) continue;
    if (first) {
      std::copy_n(node, e.size(), to);
    } else {
      add(node, to);
    }
    first = false;
  }
}

void FullShards::own_weights_changed() {
  give_up_pending();
  fetch(params_.weights(), {complete_block_, exchange_.blocks()});
  params_.update_copy();
}

void FullShards::collect(const at::Tensor& flat, const Range& range, at::Tensor& out,
                         std::optional<int> receiver) {
  constexpr std::int64_t kBlock = BlockCyclicExchange::kElements;
  const float* values = flat.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  const auto take = [&](std::int64_t block, const float* from) {  // from: the block's first element
    const Range e = exchange_.elements(block);
    const Range part{std::max(e.begin, range.begin), std::min(e.end, range.end)};
    std::copy_n(from + (part.begin - e.begin), part.size(), to + (part.begin - range.begin));
  };
  const Range run{range.begin / kBlock, (range.end + kBlock - 1) / kBlock};
  exchange_.gather(flat, run, receiver, [&](std::int64_t block, const std::byte* bytes) {
    take(block, reinterpret_cast<const float*>(bytes));
  });
  for (std::int64_t b = run.begin; b < run.end; ++b)
    if (exchange_.is_own(b)) take(b, values + exchange_.elements(b).begin);
}

model::MakeShards full_shards(dist::Ranks& ranks) {
  return
      [&ranks](model::ParamBuffer& params) { return std::make_unique<FullShards>(ranks, params); };
}

}  // namespace stagedtrain::train
