// The ranks of a run, as the trainer sees them. One process alone is one rank, for which every call
// here does nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/agreed_stops.h"
#include "base/error.h"
#include "dist/backend.h"
#include "dist/watch.h"

namespace stagedtrain::dist {

// All calls are collective and for one thread, unless they say otherwise. A rank that is lost ends
// this process with code 6 (watch.h) or makes a call throw Error(peer).
class Ranks {
 public:
  Ranks() = default;  // one process
  // Waits for all ranks. Throws Error(peer) that names those that did not come in time,
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

  // What the heartbeat of this rank says from now on. Not collective.
  void stands(const std::string& phase);
  // Every rank's text, in order; a text without a line break costs nothing to compare.
  std::vector<std::string> gather(const std::string& text);
  // Rank 0's text or number.
  std::string from_first(const std::string& text);
  double from_first(double number);
  // Adds each value over all ranks, in no fixed order: exact where all but one rank give 0. Also
  // tells all ranks whether a signal asked any of them to stop.
  void sum(std::vector<double>& values);
  // The signal that any rank had when sum() was last called, or 0. Not collective.
  int stop_signal() const { return stop_signal_; }
  // Throws Error(interrupted) at the same call everywhere; as base's stop_point when alone. Goes by
  // the last sum(). Not collective.
  void stop_point(const char* what);
  void barrier();

  // As Backend's, on tensors of the device.
  void all_to_all(const at::Tensor& out, const at::Tensor& in,
                  const std::vector<std::int64_t>& out_counts,
                  const std::vector<std::int64_t>& in_counts);
  void all_gather(const at::Tensor& whole, const at::Tensor& part);

  // Seconds that this rank spent in collective calls since this was last asked. Not collective.
  double take_seconds();

  // An error that every rank throws at the same place, from the same numbers: nobody need be told.
  Error agreed(Error error);
  // Whether it is such an error, or there is nobody else. Not collective.
  bool all_throw(const Error& error) const;
  // This process ends by an error: tells the others, unless they agreed on it. Returns whether this
  // rank is to tell the user. Not collective.
  bool end_by(const Error& error);
  // The run is over. Waits for the others, so that none seems lost.
  void part();

 private:
  void meet(double seconds);
  std::string await(const std::string& key);
  template <class F>
  void call(F f);

  Place place_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Backend> control_, data_;  // data_: null where control_ serves
  std::optional<StopsAreAgreed> stops_;
  std::int64_t texts_ = 0;
  int stop_signal_ = 0;
  double seconds_ = 0;
  std::optional<ErrorKind> agreed_;
};

}  // namespace stagedtrain::dist
