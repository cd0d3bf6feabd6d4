// Watches the other ranks during a run. Each rank has a heartbeat in the store, and if one is lost,
// all end with the same error.
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

// Runs two threads. Every quarter of a second, the first one writes this rank's heartbeat and reads
// whether there is a verdict. On rank 0 it also reads all other heartbeats, and passes the verdict
// on a rank whose heartbeat has not changed for `lost_after` seconds; on the others it reads rank
// 0's. The second thread ends this process if the first one hangs in the store, which means that
// rank 0's host or the network is down. Both end the process at once, because the main thread may
// hang in a collective call. The exit code is 6, or that of the error that another rank reported.
class Watch {
 public:
  Watch(const Place& place, std::unique_ptr<Store> store, double lost_after);
  ~Watch();  // does what part() does
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Sets the phase that the heartbeat reports, such as "training, step 12 of stage full". For the
  // main thread.
  void set_phase(const std::string& phase);
  // From now on the run saves checkpoints: a message about a lost rank says that they are kept.
  void will_save() { saves_ = true; }
  // To be called when a collective call failed on this rank. Waits for the verdict on the cause,
  // which ends the process. Throws `error` if there is none.
  [[noreturn]] void failed(const Error& error);
  // Ends the other ranks with this error's message and exit code. Returns once they have had the
  // time to read it.
  void end_others(const Error& error);
  // Leaves the run without counting as lost. The others wait until rank 0 does so, too, and end the
  // process with code 6 if it is lost before that. Rank 0 then waits some seconds for them, because
  // the store may end with it.
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
  // Ends the process when the store, and so rank 0, cannot be reached.
  [[noreturn]] void leave_without_store(const std::string& why);
  void linger();
  void wait_for_first_to_part();
  void stop();
  const char* rerun_hint() const;
  std::string lost_text(int rank, const std::string& why) const;
  bool sleep(double seconds);

  const Place place_;
  const double lost_after_;
  std::unique_ptr<Store> store_;
  std::mutex store_mutex_;  // held by the beating thread, and by the main thread at the end
  std::mutex mutex_;        // guards phase_, failure_, ended_ and leaving_
  std::condition_variable changed_;
  std::string phase_ = "starting", host_, failure_;
  bool ended_ = false, leaving_ = false;
  std::atomic<bool> saves_ = false;
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
