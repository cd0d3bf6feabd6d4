// Runs parallel loops, in which each thread takes the next piece until none is left.
#include "base/parallel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

namespace stagedtrain {

void in_parallel(std::int64_t count, std::int64_t piece,
                 const std::function<void(std::int64_t, std::int64_t)>& work) {
  // Asked once, because the system reads a file to answer.
  static const auto cores = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  in_parallel(count, piece, cores, work);
}

void in_parallel(std::int64_t count, std::int64_t piece, std::int64_t threads,
                 const std::function<void(std::int64_t, std::int64_t)>& work) {
  const std::int64_t pieces = (count + piece - 1) / piece;
  std::atomic<std::int64_t> next{0};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto take_pieces = [&] {
    try {
      for (std::int64_t i; (i = next++) < pieces;)
        work(i * piece, std::min(count, (i + 1) * piece));
    } catch (...) {
      next = pieces;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::int64_t i = 1; i < std::min(threads, pieces); ++i) {
      std::jthread other = try_thread(take_pieces);
      if (!other.joinable()) break;
      others.push_back(std::move(other));
    }
    take_pieces();
  }
  if (failure) std::rethrow_exception(failure);
}

std::jthread try_thread(const std::function<void()>& work) {
  try {
    return std::jthread(work);
  } catch (const std::exception&) {  // too many threads, no address space for a stack, no memory
    return {};
  }
}

int threads_to_be_had(int wanted) {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  std::vector<std::jthread> others;
  others.reserve(static_cast<std::size_t>(std::max(wanted, 1)));
  int had = 1;
  for (; had < wanted; ++had) {
    std::jthread other = try_thread([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return over; });
    });
    if (!other.joinable()) break;
    others.push_back(std::move(other));
  }
  {
    const std::lock_guard lock(mutex);
    over = true;
  }
  changed.notify_all();
  return had;
}

void let_others_go_first() {
  // Only a hint. On Linux each thread has its own niceness.
  [[maybe_unused]] const int niceness = ::nice(10);
}

}  // namespace stagedtrain
