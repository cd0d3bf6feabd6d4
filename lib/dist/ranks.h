// Gives the trainer the ranks of a run. A process that trains alone is one rank, for which these
// calls do nothing.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/agreed_stops.h"
#include "base/error.h"
#include "dist/backend.h"
#include "dist/watch.h"

namespace stagedtrain::dist {

// The seconds that a rank has spent in collective calls. waited: its work stood still meanwhile.
// hidden: another thread made the calls, and this one did not wait.
struct CommunicationTime {
  double waited = 0, hidden = 0;
};

// All calls are collective and for one thread at a time, unless they say otherwise. If a rank is
// lost, this process ends with exit code 6 (watch.h) or the call throws Error(peer).
class Ranks {
 public:
  Ranks() = default;  // a process that trains alone
  // Waits for all ranks. Throws Error(peer) that names those that did not come in time, and
  // Error(resource) if the port is taken.
  Ranks(const Place& place, const at::Device& device);
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int rank() const { return place_.rank; }
  int size() const { return place_.size; }
  bool alone() const { return place_.alone(); }
  bool first() const { return place_.rank == 0; }
  const Place& place() const { return place_; }
  const char* backend() const { return data_ ? data_->name() : control_->name(); }

  // Sets the phase that this rank's heartbeat reports. Not collective.
  void set_phase(const std::string& phase);
  // Call this if the run saves checkpoints, which the message about a lost rank then mentions. Not
  // collective.
  void will_save();
  // Returns every rank's text, in the order of ranks.
  std::vector<std::string> gather(const std::string& text);
  // Returns rank 0's text or number.
  std::string from_first(const std::string& text);
  double from_first(double number);
  // Adds each value over all ranks, in no fixed order. The sums are exact if all ranks but one pass
  // 0. Also tells all ranks whether any of them received a signal to stop.
  void sum(std::vector<double>& values);
  // Throws Error(interrupted) if any rank had received a signal at the last sum(), hence at the
  // same call on every rank. If alone, it is stop_point of base/signals.h. Not collective.
  void stop_point(const char* what);
  void barrier();

  // The calls of Backend, on tensors of the device.
  void all_to_all(const at::Tensor& out, const at::Tensor& in,
                  const std::vector<std::int64_t>& out_counts,
                  const std::vector<std::int64_t>& in_counts);
  void all_gather(const at::Tensor& whole, const at::Tensor& part);

  // Runs f, which waits until another thread has made collective calls. Not collective.
  void wait(const std::function<void()>& f);
  // Returns the time since the last call of this function. Time is hidden if the calls were made on
  // another thread than the one that made this object, except during wait(). Not collective.
  CommunicationTime take_time();

  // Marks an error that every rank throws at the same place, from the same numbers, so that no rank
  // needs to tell the others. Returns it.
  Error agreed(Error error);
  // Whether the error is marked so, or this process is alone. Not collective.
  bool all_throw(const Error& error) const;
  // To be called when this process ends by an error. Tells the other ranks, unless the error is
  // marked as agreed. Returns whether this rank should print it. Not collective.
  bool end_by(const Error& error);
  // Ends the run: waits for the other ranks, so that none of them seems lost.
  void part();

 private:
  void meet(double seconds);
  std::string await(const std::string& key);
  template <class F>
  void call(F f);

  Place place_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Backend> control_, data_;  // data_: null if control_ serves for the device, too
  std::optional<StopsAreAgreed> stops_;
  std::int64_t texts_ = 0;
  int stop_signal_ = 0;
  const std::thread::id main_thread_ = std::this_thread::get_id();
  double main_seconds_ = 0, wait_seconds_ = 0;
  std::atomic<double> other_seconds_ = 0;  // of calls on other threads
  std::optional<ErrorKind> agreed_;
};

}  // namespace stagedtrain::dist
