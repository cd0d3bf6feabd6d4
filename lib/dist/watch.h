// Watching over the other ranks while a run goes on: a heartbeat of each in the store, and one
// verdict that ends them all.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/error.h"
#include "dist/backend.h"

namespace stagedtrain::dist {

// Two threads. One tells the store every quarter of a second where this rank stands, and reads
// whether a verdict has been spoken; rank 0 also reads where all others stand, and speaks the
// verdict over one whose heartbeat has not changed for `lost_after` seconds, the others look at
// rank 0's. The second thread ends this process when the first hangs in the store, which means that
// the host of rank 0 or the way to it is gone. Each ends the process at once, with exit code 6 or
// that of the error that another rank told: the main thread may hang in a collective call.
class Watch {
 public:
  Watch(const Place& place, std::unique_ptr<Store> store, double lost_after);
  ~Watch();  // as part()
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // What the heartbeat says: "training, step 12 of stage full". For the main thread.
  void stands(const std::string& phase);
  // A collective call failed in this rank. Waits for the verdict on why, which ends the process;
  // throws `error` if none comes.
  [[noreturn]] void failed(const Error& error);
  // This rank ends by an error of its own: the others end with its message and exit code. Returns
  // once they had the time to read it.
  void tell(const Error& error);
  // This rank leaves, and that is no loss. Waits until all have said so, for some seconds, since
  // rank 0 may take the store with it.
  void part();

 private:
  using Clock = std::chrono::steady_clock;
  void beat_until_end();
  void beat(std::int64_t count);
  void guard_until_end();
  void look_at_others();
  void look_at(int rank);
  void speak(ErrorKind kind, const std::string& message, const std::string& hint);
  void heed_verdict();
  [[noreturn]] void leave(const std::string& verdict);
  // Rank 0 is lost, or the way to it: there is nobody to ask.
  [[noreturn]] void leave_without_store(const std::string& why);
  void linger();
  void stop();
  std::string lost_text(int rank, const std::string& why) const;
  bool sleep(double seconds);

  const Place place_;
  const double lost_after_;
  std::unique_ptr<Store> store_;
  std::mutex store_mutex_;  // the beating thread's, and main's at the end
  std::mutex mutex_;        // of what follows
  std::condition_variable changed_;
  std::string phase_ = "starting", host_, failure_;
  bool ended_ = false, leaving_ = false;
  std::atomic<Clock::time_point> beaten_;
  struct Seen {
    std::string beat, phase, host;
    Clock::time_point changed;
    bool parted = false;
    std::string failure;
  };
  std::vector<Seen> seen_;
  std::optional<Clock::time_point> first_failure_;
  std::thread beating_, guarding_;
};

}  // namespace stagedtrain::dist
