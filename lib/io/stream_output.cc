// A queue of file ranges and the threads that empty it.
#include "io/stream_output.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/parallel.h"

namespace stagedtrain {
namespace {

// Can these bytes be written past the page cache from where they lie?
bool lies_in_units(std::uint64_t offset, std::span<const std::byte> bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  return (offset | bytes.size() | address) % OutputFile::kDirectUnit == 0;
}

}  // namespace

// A range, and how far it has come.
struct StreamOutput::Job {
  FileRange range;
  std::uint64_t taken = 0, written = 0;
  std::uint64_t size() const { return range.bytes.size(); }
  std::uint64_t owned() const { return range.owner ? size() : 0; }
};

StreamOutput::StreamOutput(OutputFile& file, std::uint64_t most_waiting)
    : file_(file), most_waiting_(most_waiting) {
  threads_.reserve(kThreads);  // nothing may throw once a thread waits for work
  for (int i = 0; i < kThreads; ++i) {
    std::jthread thread = try_thread([this] { work(); });
    if (!thread.joinable()) break;
    threads_.push_back(std::move(thread));
  }
}

StreamOutput::~StreamOutput() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    queue_.clear();
  }
  changed_.notify_all();
}

void StreamOutput::write_at(FileRange range) {
  Job job{std::move(range)};
  if (job.size() == 0) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] {
    return failure_ || job.owned() == 0 || waiting_ == 0 || waiting_ + job.owned() <= most_waiting_;
  });
  rethrow();
  waiting_ += job.owned();
  ++unfinished_;
  queue_.push_back(std::make_shared<Job>(std::move(job)));
  while (threads_.empty() && write_next(lock, own_buffer_)) continue;
  lock.unlock();
  changed_.notify_all();
}

void StreamOutput::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return unfinished_ == 0; });
  rethrow();
}

void StreamOutput::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
}

void StreamOutput::work() {
  Buffer buffer;
  std::unique_lock lock(mutex_);
  do {
    changed_.wait(lock, [&] { return over_ || !queue_.empty(); });
  } while (write_next(lock, buffer));
}

bool StreamOutput::write_next(std::unique_lock<std::mutex>& lock, Buffer& buffer) {
  if (queue_.empty()) return false;
  const std::shared_ptr<Job> job = queue_.front();
  const std::uint64_t start = std::exchange(job->taken, job->taken + kPiece);
  if (job->taken >= job->size()) queue_.pop_front();
  const bool skip = failure_ != nullptr;
  lock.unlock();
  std::exception_ptr failure;
  try {
    if (!skip) write(*job, start, buffer);
  } catch (...) {
    failure = std::current_exception();
  }
  end_piece(job, failure);
  lock.lock();
  return true;
}

// Writes one piece of a job: directly from its memory if it fills whole units, else by way of the
// buffer. A piece that another one follows keeps what lies behind it in its last unit.
void StreamOutput::write(const Job& job, std::uint64_t start, Buffer& buffer) {
  const FileRange& range = job.range;
  const auto piece = range.bytes.subspan(start, std::min(kPiece, job.size() - start));
  if (range.on_piece) range.on_piece(start, piece);
  const std::uint64_t offset = range.offset + start;
  if (lies_in_units(offset, piece)) return file_.write_direct(offset, piece);
  if (!buffer) buffer.emplace(kPiece);
  buffer->begin(offset);
  buffer->add(offset, piece);
  buffer->write(file_, start + piece.size() == job.size() ? range.rest : Rest::kept);
}

void StreamOutput::end_piece(const std::shared_ptr<Job>& job, std::exception_ptr failure) {
  FileRange done;  // its owner is let go of outside the lock
  {
    const std::lock_guard lock(mutex_);
    if (failure && !failure_) failure_ = std::move(failure);
    job->written += kPiece;
    if (job->written < job->size()) return;
    waiting_ -= job->owned();
    done = std::move(job->range);
    --unfinished_;
  }
  done.owner.reset();
  changed_.notify_all();
}

}  // namespace stagedtrain
