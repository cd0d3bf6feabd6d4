// Copies a state into buffers that are kept for it, and writes the copy on a thread.
#include "runfolder/checkpoint_saver.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <utility>

#include "arch/architectures.h"
#include "base/parallel.h"
#include "base/stopwatch.h"
#include "io/free_memory.h"
#include "state/finite.h"

namespace stagedtrain::train {
namespace {

using Clock = std::chrono::steady_clock;

bool is_allocated(const state::TrainingState& state) {
  return !state.of(state::TensorKind::weights).empty();
}

bool fits(const state::StateHeader& header) {
  return state::checkpoint_bytes(header.model, header.dtype, header.ema) <= free_memory() / 2;
}

void allocate(state::TrainingState& state, const state::StateHeader& header) {
  for (const state::TensorKind kind : header.kinds())
    for (const arch::ParamSpec& spec : arch::param_table(header.model)) {
      state::HostTensor& tensor = state.of(kind).emplace_back(header.dtype, spec.shape());
      // Touch every page now, so that page faults do not lengthen the pause of training.
      for (std::size_t i = 0; i < tensor.byte_size(); i += 4096) tensor.bytes()[i] = std::byte{1};
    }
}

// Copies a tensor and returns whether all its numbers are finite. Each part is checked while it is
// in the cache, so the check needs no further pass over memory.
bool copy_finite(std::span<const std::byte> from, std::span<std::byte> to, state::DType dtype) {
  constexpr std::int64_t kPart = 1 << 15;  // in bytes; a multiple of every type's size
  const auto size = static_cast<std::int64_t>(from.size());
  std::atomic<bool> finite = true;
  at::parallel_for(0, (size + kPart - 1) / kPart, 32, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part) {
      const auto offset = static_cast<std::size_t>(part * kPart);
      const auto bytes = from.subspan(offset, std::min<std::size_t>(kPart, from.size() - offset));
      std::memcpy(to.data() + offset, bytes.data(), bytes.size());
      if (!state::all_finite(bytes, dtype)) finite = false;
    }
  });
  return finite;
}

std::uint64_t size_of(const Path& file) {
  std::error_code none;
  return static_cast<std::uint64_t>(std::filesystem::file_size(file, none));
}

}  // namespace

void CheckpointSaver::prepare(const state::StateHeader& header) {
  join();
  if (is_allocated(copy_) || !fits(header)) return;
  thread_ = try_thread([this, header] {
    let_others_go_first();
    try {
      allocate(copy_, header);
    } catch (const std::bad_alloc&) {
      copy_ = {};  // the first save will try again
    }
  });
}

// Waits for the thread. Its results may be read only after that.
void CheckpointSaver::join() {
  if (thread_.joinable()) thread_.join();
  if (!std::exchange(under_way_, false)) return;
  done_ = false;
  if (!failure_) completed_.push_back(std::move(current_));
}

void CheckpointSaver::copy(DeviceState& live) {
  if (!is_allocated(copy_)) allocate(copy_, live.header);
  state::TrainingState next = state::state_of(live.header);
  for (const state::TensorKind kind : live.header.kinds())
    next.of(kind) = std::move(copy_.of(kind));
  copy_ = std::move(next);
  model::ParamBuffer& params = live.model->params();
  at::Tensor buffer;
  for (const state::TensorKind kind : live.header.kinds())
    for (std::size_t i = 0; i < params.table().size(); ++i) {
      const std::span<const std::byte> from = params.get(kind, i, buffer);
      if (!copy_finite(from, copy_.of(kind)[i].bytes(), live.header.dtype))
        refuse_not_finite(live, kind, i);
    }
}

void CheckpointSaver::write(const std::function<void()>& first) {
  const auto start = Clock::now();
  try {
    if (first) first();
    state::save(current_.file, copy_);
    current_.bytes = size_of(current_.file);
    current_.writing = seconds_since(start);
  } catch (...) {
    failure_ = std::current_exception();
  }
  done_ = true;
}

void CheckpointSaver::start(const Path& file, DeviceState& live, std::function<void()> first) {
  const auto start = Clock::now();
  join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (!is_allocated(copy_) && !fits(live.header)) {
    save(file, live, first);
    return;
  }
  copy(live);
  current_ = {.file = file, .progress = live.header.progress};
  under_way_ = true;
  current_.stood_still = seconds_since(start);
  thread_ = try_thread([this, first] { write(first); });
  if (!thread_.joinable()) write(first);  // no thread is available, so training waits
}

void CheckpointSaver::save(const Path& file, DeviceState& live, const std::function<void()>& first,
                           const std::function<void()>& write) {
  const auto start = Clock::now();
  join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (first) first();
  if (write) {
    write();
  } else {
    save_live(file, live);
  }
  const double seconds = seconds_since(start);
  completed_.push_back({file, live.header.progress, size_of(file), seconds, seconds});
}

std::vector<SavedCheckpoint> CheckpointSaver::completed() {
  if (done_) join();
  if (!under_way_ && failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  return std::exchange(completed_, {});
}

std::vector<SavedCheckpoint> CheckpointSaver::wait() {
  join();
  return completed();
}

}  // namespace stagedtrain::train
