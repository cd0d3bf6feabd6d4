// Runs loops on all cores of the machine, in code that does not use LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

namespace stagedtrain {

// Runs work(begin, end) over [0, count) in pieces of at most `piece`, on as many threads as there
// are cores, and returns when all are done. The calling thread works too, alone if the system
// grants no more threads (ulimit -u, a container's limit). A single piece starts no thread. Throws
// the first exception of a piece; pieces that have not begun by then are skipped. Pieces are
// assigned to threads dynamically, so they must not depend on each other.
void in_parallel(std::int64_t count, std::int64_t piece,
                 const std::function<void(std::int64_t begin, std::int64_t end)>& work);
// Does the same with this number of threads, for work that waits for a disk more than it computes.
void in_parallel(std::int64_t count, std::int64_t piece, std::int64_t threads,
                 const std::function<void(std::int64_t begin, std::int64_t end)>& work);

// Returns a thread that does the work, or one that is not joinable if the system grants no more
// threads.
std::jthread try_thread(const std::function<void()>& work);
// Returns how many of `wanted` threads can exist at the same time, including the calling one. It
// starts them and waits for their end. For libraries that end the process when they cannot start a
// thread, as OpenMP's do.
int threads_to_be_had(int wanted);

// Lowers the calling thread's priority, to about a tenth of a core that another thread wants too.
void let_others_go_first();

}  // namespace stagedtrain
