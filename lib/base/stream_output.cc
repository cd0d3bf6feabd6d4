// A queue of stretches and the threads that empty it.
#include "base/stream_output.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/memory_advice.h"

namespace stagedtrain {
namespace {

// Enough to keep a disk busy while some of them compute checksums.
constexpr int kThreads = 4;

}  // namespace

struct StreamOutput::Stretch {
  std::uint64_t offset;
  std::span<const std::byte> bytes;
  Look look;
  std::shared_ptr<const void> owner;
  std::uint64_t taken = 0, written = 0;
};

StreamOutput::StreamOutput(OutputFile& file, std::uint64_t most_waiting)
    : file_(file), most_waiting_(most_waiting) {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { work(); });
}

StreamOutput::~StreamOutput() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    queue_.clear();
  }
  changed_.notify_all();
}

void StreamOutput::write_at(std::uint64_t offset, std::span<const std::byte> bytes, Look look,
                            std::shared_ptr<const void> owner) {
  if (bytes.empty()) return;
  std::unique_lock lock(mutex_);
  changed_.wait(
      lock, [&] { return failure_ || waiting_ == 0 || waiting_ + bytes.size() <= most_waiting_; });
  rethrow();
  waiting_ += bytes.size();
  queue_.push_back(
      std::make_shared<Stretch>(Stretch{offset, bytes, std::move(look), std::move(owner)}));
  lock.unlock();
  changed_.notify_all();
}

void StreamOutput::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_ == 0; });
  rethrow();
}

void StreamOutput::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

void StreamOutput::work() {
  LargeMemory room;
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return over_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::shared_ptr<Stretch> stretch = queue_.front();
    const std::uint64_t start = std::exchange(stretch->taken, stretch->taken + kPiece);
    if (stretch->taken >= stretch->bytes.size()) queue_.pop_front();
    const bool skip = failure_ != nullptr;
    lock.unlock();
    std::exception_ptr failure;
    try {
      if (!room) room = large_memory(kPiece);
      if (!skip) write_piece(*stretch, start, room.get());
    } catch (...) {
      failure = std::current_exception();
    }
    end_piece(stretch, failure);
  }
}

// The whole units of a piece go past the page cache, from where they lie or, if that is not
// aligned, by way of room; the rest goes through the cache, since its unit may hold other things.
void StreamOutput::write_piece(const Stretch& stretch, std::uint64_t start, std::byte* room) {
  const auto piece =
      stretch.bytes.subspan(start, std::min<std::uint64_t>(kPiece, stretch.bytes.size() - start));
  if (stretch.look) stretch.look(start, piece);
  const std::uint64_t offset = stretch.offset + start;
  const bool fits = offset % OutputFile::kDirectUnit == 0;
  const std::size_t whole =
      fits ? piece.size() / OutputFile::kDirectUnit * OutputFile::kDirectUnit : 0;
  std::span<const std::byte> units = piece.first(whole);
  if (whole && reinterpret_cast<std::uintptr_t>(piece.data()) % OutputFile::kDirectUnit != 0) {
    std::memcpy(room, piece.data(), whole);
    units = {room, whole};
  }
  if (whole) file_.write_direct(offset, units);
  if (whole < piece.size()) file_.write_at(offset + whole, piece.subspan(whole));
}

void StreamOutput::end_piece(const std::shared_ptr<Stretch>& stretch, std::exception_ptr failure) {
  std::shared_ptr<const void> done;  // let go of outside the lock
  {
    const std::lock_guard lock(mutex_);
    if (failure && !failure_) failure_ = std::move(failure);
    stretch->written += kPiece;
    if (stretch->written < stretch->bytes.size()) return;
    done = std::move(stretch->owner);
    waiting_ -= stretch->bytes.size();
  }
  done.reset();
  changed_.notify_all();
}

}  // namespace stagedtrain
