// Finds lost ranks by heartbeats in the store, and ends all ranks with the same verdict.
//
// Keys of the store, one line for each field:
//   beat/RANK   count, phase, host and process, failure; rewritten every kBeat seconds
//   verdict     exit code, message, hint; set at most once, so that all ranks report the same cause
//   heeded      how many ranks have read the verdict
//   parted      how many ranks have reached the end of the run and leave it
//
// A rank counts as lost if its heartbeat has not changed for lost_after seconds, or for kSilent
// seconds once a collective call has failed on a rank. If a call failed but all ranks still beat
// after kNobodySilent seconds, the connection between two of them broke. Rank 0 watches all other
// ranks, and they watch rank 0 only, so the number of requests to the store grows with the ranks,
// not with their square.
//
// Invariant: the watch makes no collective call, so it works while the main thread hangs in one.
// That is why it ends the process from its own threads. With a timeout of the collective calls
// instead, a rank that computes for long would look the same as one that hangs.
//
// Rank 0's process keeps the store, unless torchrun does. So rank 0 waits, for a few seconds at
// most, until the others have read the verdict or reached the end. At the end the others leave only
// after rank 0, which may still have files to write; if it is lost meanwhile, they notice.
#include "dist/watch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/host_name.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "text/text.h"

namespace stagedtrain::dist {
namespace {

constexpr double kBeat = 0.25;
// After a collective call failed, a rank whose heartbeat is this old is taken for the cause.
constexpr double kSilent = 1.2;
// If all ranks still beat this long after the failure, the connection between two of them is the
// cause.
constexpr double kNobodySilent = 3;
constexpr double kLinger = 2, kPart = 10;
constexpr char kVerdict[] = "verdict", kHeeded[] = "heeded", kParted[] = "parted";
constexpr const char* kRerun = "run the same command again";
constexpr const char* kContinue =
    "what was saved before is kept: run the same command again to continue";

// What the store holds is cut at line ends.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return text;
}

// Code, message and hint, one on each line.
std::string verdict_text(ErrorKind kind, const std::string& message, const std::string& hint) {
  return fmt::format("{}\n{}\n{}", static_cast<int>(kind), one_line(message), one_line(hint));
}

std::string beat_key(int rank) { return "beat/" + std::to_string(rank); }

}  // namespace

Watch::Watch(const Place& place, std::unique_ptr<Store> store, double lost_after)
    : place_(place),
      lost_after_(lost_after),
      store_(std::move(store)),
      host_(host_name()),
      beaten_(Clock::now()),
      seen_(static_cast<std::size_t>(place.size)) {
  for (Seen& one : seen_) one.changed = Clock::now();
  beat(0);
  beating_ = std::thread([this] { beat_until_end(); });
  guarding_ = std::thread([this] { guard_until_end(); });
}

Watch::~Watch() { part(); }

void Watch::set_phase(const std::string& phase) {
  const std::scoped_lock lock(mutex_);
  phase_ = phase;
}

// Returns false once the watch has ended.
bool Watch::sleep(double seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return ended_; });
  return !ended_;
}

// Count, phase, host with process and device, and failure, one on each line. A rank that computes
// on a GPU has the one with the number of its local rank.
void Watch::beat(std::int64_t count) {
  std::string text;
  {
    const std::scoped_lock lock(mutex_);
    text = fmt::format("{}\n{}\n{} (process {}, local rank {})\n{}", count, phase_, host_,
                       ::getpid(), place_.local_rank, failure_);
  }
  store_->set(beat_key(place_.rank), text);
}

void Watch::beat_until_end() {
  try {
    for (std::int64_t count = 1; sleep(kBeat); ++count) {
      const std::scoped_lock lock(store_mutex_);
      beat(count);
      heed_verdict();
      look_at_others();
      beaten_ = Clock::now();
    }
  } catch (const Error& error) {
    {
      const std::scoped_lock lock(mutex_);
      if (ended_ || leaving_) return;
    }
    leave_without_store("its store cannot be reached");
  }
}

void Watch::guard_until_end() {
  while (sleep(kBeat)) {
    if (seconds_since(beaten_) < lost_after_ + 2 * kBeat) continue;
    leave_without_store(
        fmt::format("its store has not answered for {:.3g} s", seconds_since(beaten_)));
  }
}

void Watch::leave_without_store(const std::string& why) {
  leave(verdict_text(ErrorKind::peer, lost_text(0, why), rerun_hint()));
}

const char* Watch::rerun_hint() const { return saves_ ? kContinue : kRerun; }

std::string Watch::lost_text(int rank, const std::string& why) const {
  const Seen& seen = seen_[static_cast<std::size_t>(rank)];
  return fmt::format("rank {} on {} was lost while {}: {}", rank,
                     !seen.host.empty() ? seen.host
                     : rank == 0        ? place_.address
                                        : "an unknown host",
                     seen.phase.empty() ? "starting" : seen.phase, why);
}

void Watch::look_at(int rank) {
  Seen& seen = seen_[static_cast<std::size_t>(rank)];
  const std::optional<std::string> text = store_->get(beat_key(rank));
  if (text && *text != seen.beat) {
    seen.beat = *text;
    seen.changed = Clock::now();
    const std::vector<std::string> lines = split(*text, '\n');
    if (lines.size() >= 4) {
      seen.phase = lines[1];
      seen.host = lines[2];
      seen.failure = lines[3];
    }
    if (!seen.failure.empty() && !first_failure_) first_failure_ = Clock::now();
    seen.parted = seen.phase == kParted;
  }
  const double silent = seconds_since(seen.changed);
  if (seen.parted || silent < (first_failure_ ? std::min(kSilent, lost_after_) : lost_after_))
    return;
  speak(ErrorKind::peer, lost_text(rank, fmt::format("no sign of life for {:.1f} s", silent)),
        rerun_hint());
}

void Watch::look_at_others() {
  std::string failure;
  {
    const std::scoped_lock lock(mutex_);
    failure = failure_;
    if (!failure.empty() && !first_failure_) first_failure_ = Clock::now();
  }
  if (place_.rank != 0) return look_at(0);
  for (int rank = 1; rank < place_.size; ++rank) look_at(rank);
  if (!first_failure_ || seconds_since(*first_failure_) < kNobodySilent) return;
  int failed = 0;
  for (int rank = 1; rank < place_.size && failure.empty(); ++rank) {
    failure = seen_[static_cast<std::size_t>(rank)].failure;
    failed = rank;
  }
  speak(ErrorKind::peer,
        fmt::format("rank {}: a connection to another rank broke, though all ranks are alive: {}",
                    failed, failure),
        rerun_hint());
}

// Only the first verdict counts.
void Watch::speak(ErrorKind kind, const std::string& message, const std::string& hint) {
  store_->set_once(kVerdict, verdict_text(kind, message, hint));
  heed_verdict();
}

void Watch::heed_verdict() {
  {
    const std::scoped_lock lock(mutex_);
    // It has reported an error, or is following a verdict already.
    if (leaving_ && phase_ != kParted) return;
  }
  if (const auto verdict = store_->get(kVerdict)) leave(*verdict);
}

// The store ends with rank 0, which therefore waits until the others have read the verdict.
void Watch::linger() {
  const auto start = Clock::now();
  store_->add(kHeeded, 1);
  if (place_.rank != 0 || place_.others_store) return;
  while (store_->add(kHeeded, 0) < place_.size && seconds_since(start) < kLinger)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

void Watch::leave(const std::string& verdict) {
  {
    const std::scoped_lock lock(mutex_);
    leaving_ = true;
  }
  const std::vector<std::string> lines = split(verdict, '\n');
  const int code = std::atoi(lines[0].c_str());
  const std::string self = fmt::format("stagedtrain: rank {}: ", place_.rank);
  const std::string message = lines.size() > 1 ? lines[1] : "",
                    hint = lines.size() > 2 ? lines[2] : "";
  try {
    if (seconds_since(beaten_) < lost_after_) linger();
  } catch (const Error&) {  // the store is gone, and the verdict may say so
  }
  say_and_leave({self.c_str(), message.c_str(), hint.empty() ? "" : "\n  ", hint.c_str(), "\n"},
                code ? code : static_cast<int>(ErrorKind::peer));
}

void Watch::failed(const Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    failure_ = one_line(error.what());
  }
  sleep(lost_after_ + kNobodySilent + kLinger);
  throw error;
}

void Watch::stop() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = leaving_ = true;
  }
  changed_.notify_all();
  if (beating_.joinable()) beating_.join();
  if (guarding_.joinable()) guarding_.join();
}

void Watch::end_others(const Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    if (leaving_) return;
    leaving_ = true;
  }
  try {
    const std::scoped_lock lock(store_mutex_);
    const std::string message =
        fmt::format("rank {} on {} ended while {}: {}", place_.rank, host_, phase_, error.what());
    store_->set_once(kVerdict, verdict_text(error.kind(), message, error.hint()));
    linger();
  } catch (const Error&) {  // the store is gone, so no rank can be told
  }
  stop();
}

void Watch::part() {
  {
    const std::scoped_lock lock(mutex_);
    if (leaving_) return;
    leaving_ = true;
    phase_ = kParted;
  }
  try {
    const std::scoped_lock lock(store_mutex_);
    beat(-1);
    if (place_.rank != 0) wait_for_first_to_part();
    const auto start = Clock::now();
    store_->add(kParted, 1);
    while (place_.rank == 0 && store_->add(kParted, 0) < place_.size &&
           seconds_since(start) < kPart)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
  } catch (const Error&) {  // the store ended with rank 0, which waited for kPart seconds
  }
  stop();
}

// Rank 0 may still have files to write. This ends the process if rank 0 is lost while it does that.
void Watch::wait_for_first_to_part() {
  for (; !seen_[0].parted; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    look_at(0);
    heed_verdict();
    beaten_ = Clock::now();
  }
}

}  // namespace stagedtrain::dist
