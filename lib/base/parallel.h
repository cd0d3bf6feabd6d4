// Loops over the machine's cores, for the ground floor.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

namespace stagedtrain {

// Runs work(begin, end) over all of [0, count) in pieces of at most `piece`, on as many threads as
// this process has cores, and returns when all are done. The calling thread works too, alone if the
// system grants no more threads (ulimit -u, a container's limit); a single piece makes no thread.
// Throws the first exception of a piece; the pieces not begun by then are left out. Which thread
// gets which piece is not fixed, so pieces must not depend on each other.
void in_parallel(std::int64_t count, std::int64_t piece,
                 const std::function<void(std::int64_t begin, std::int64_t end)>& work);
// The same on so many threads: for work that waits for a disk more than it computes.
void in_parallel(std::int64_t count, std::int64_t piece, std::int64_t threads,
                 const std::function<void(std::int64_t begin, std::int64_t end)>& work);

// A thread that does the work, or one that is not joinable if the system grants no more threads.
std::jthread try_thread(const std::function<void()>& work);
// How many of so many threads can live at a time, the calling one included. For libraries that end
// the process when they cannot start one, as OpenMP's do. Starts them, and waits for their end.
int threads_to_be_had(int wanted);

// From now on the calling thread takes about a tenth of a core that another thread wants too.
void let_others_go_first();

}  // namespace stagedtrain
