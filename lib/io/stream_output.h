// Large ranges of a file, written past the page cache while the caller goes on.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "io/file.h"
#include "io/unit_buffer.h"

namespace stagedtrain {

// A few threads that look at and write pieces of what they are given, several at a time, so that
// the disk always has work and checksums cost no time of their own. Errors are those of OutputFile,
// thrown by the next call; nothing more is written after one. Used from one thread. Where the
// system grants no threads, the calling thread writes what it gives before it goes on.
class StreamOutput {
 public:
  static constexpr std::uint64_t kPiece = 4 << 20;
  // Enough to keep a disk busy while some of them compute checksums.
  static constexpr int kThreads = 8;
  // Called on a writing thread for each piece (start counts from the range's beginning and is a
  // multiple of kPiece), before it is written; pieces of one range at the same time.
  using OnPiece = std::function<void(std::uint64_t start, std::span<const std::byte> piece)>;
  // The bytes must not change before drain() returns or owner (if given) is let go of, which
  // happens once they are written.
  struct FileRange {
    std::uint64_t offset = 0;
    std::span<const std::byte> bytes;
    Rest rest = Rest::kept;
    OnPiece on_piece;
    std::shared_ptr<const void> owner;
  };

  // most_waiting: bytes with an owner that may wait to be written. A range is taken when it fits, or
  // alone; one without an owner at once, since it lies in memory anyway.
  StreamOutput(OutputFile& file, std::uint64_t most_waiting);
  // Waits for what is being written; what waits is dropped.
  ~StreamOutput();

  // Returns while the bytes are still to be written.
  void write_at(FileRange range);
  // Returns when all that was given is written (not synced).
  void drain();

 private:
  struct Job;
  using Buffer = std::optional<UnitBuffer>;
  void work();
  // Takes a piece from the queue and writes it; false if there is none. Requires the lock.
  bool write_next(std::unique_lock<std::mutex>& lock, Buffer& buffer);
  void write(const Job& job, std::uint64_t start, Buffer& buffer);
  void end_piece(const std::shared_ptr<Job>& job, std::exception_ptr failure);
  void rethrow() const;

  OutputFile& file_;
  const std::uint64_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;  // those with pieces that no thread has taken
  std::uint64_t waiting_ = 0;               // bytes with an owner, given and not yet written
  std::size_t unfinished_ = 0;              // jobs
  std::exception_ptr failure_;
  bool over_ = false;
  Buffer own_buffer_;  // the calling thread's, where it has to write
  std::vector<std::jthread> threads_;
};

}  // namespace stagedtrain
