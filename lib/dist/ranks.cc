// Brings the ranks of a run together, and implements the collective calls that all parts of a run
// share.
#include "dist/ranks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "base/host_name.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "launch/board.h"
#include "text/text.h"

namespace stagedtrain::dist {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{5};

// Seconds that a call may take longer than it was asked to wait, on a busy machine.
constexpr double kGrace = 5;

constexpr double kNoLimit = 1e9;
// All ranks find an error that they share within this time, such as a file that is missing.
constexpr double kSameError = 1;
// How long the store stays for others to read which ranks are missing.
constexpr std::chrono::milliseconds kTimeToRead{300};
constexpr char kMet[] = "met";
constexpr char kStoppedEarly[] = "stopped while connecting all ranks";

std::string here_key(int rank) { return "here/" + std::to_string(rank); }

// Ends this process if it does not join the others in time, or cannot. Calls of the store wait
// without end for a rank 0 that hangs or for another program that has its port, and there is no
// watch yet.
class JoinGuard {
 public:
  explicit JoinGuard(const Place& place) : thread_([this, place] { look_until_joined(place); }) {}
  ~JoinGuard() {
    {
      const std::scoped_lock lock(mutex_);
      joined_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  JoinGuard(const JoinGuard&) = delete;
  JoinGuard& operator=(const JoinGuard&) = delete;
  // Restarts the clock: the process may take this long from now on.
  void allow(double seconds) {
    const std::scoped_lock lock(mutex_);
    seconds_ = seconds;
    end_ = Clock::now() +
           std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }

 private:
  void look_until_joined(const Place& place) {
    const Board board = Board::of_this_process();
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(100), [&] { return joined_; })) {
      // The launcher has said which rank was lost.
      if (board.has_loss()) say_and_leave({}, static_cast<int>(ErrorKind::peer));
      if (Clock::now() < end_) continue;
      const std::string text = fmt::format(
          "stagedtrain: rank {}: waited {:.3g} s for rank 0 at {}:{} (MASTER_ADDR, MASTER_PORT), "
          "which accepts connections but does not answer\n"
          "  check whether rank 0 hangs, or whether another program has this port\n",
          place.rank, seconds_, place.address, place.port);
      say_and_leave({text.c_str()}, static_cast<int>(ErrorKind::peer));
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool joined_ = false;
  double seconds_ = 0;
  Clock::time_point end_ = Clock::time_point::max();
  std::thread thread_;  // the last member, because it uses the others
};

// Returns the ranks that do not come within this time. For rank 0.
std::vector<std::string> missing_after(double seconds, Store& store, int size) {
  const auto start = Clock::now();
  std::vector<std::string> missing;
  for (int rank = 1; rank < size; ++rank) {
    while (!store.get(here_key(rank)) && seconds_since(start) < seconds) {
      if (stop_requested()) throw make_error(ErrorKind::interrupted, "{}", kStoppedEarly);
      std::this_thread::sleep_for(kPoll);
    }
    if (!store.get(here_key(rank))) missing.push_back(std::to_string(rank));
  }
  return missing;
}

// Returns what rank 0 says of the meeting: "", or the ranks that are missing. Rank 0 waits for
// join_timeout, and may have started later.
std::string verdict_of_first(Store& store, const Place& place) {
  const auto start = Clock::now();
  try {
    while (seconds_since(start) < 2 * place.join_timeout + 1) {
      if (const auto met = store.get(kMet)) return *met;
      if (stop_requested()) throw make_error(ErrorKind::interrupted, "{}", kStoppedEarly);
      std::this_thread::sleep_for(kPoll);
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::peer) throw;
    std::this_thread::sleep_for(kTimeToRead);  // a launcher may have more to say (JoinGuard)
    throw make_error(ErrorKind::peer, "rank {}: rank 0 at {}:{} ended before all ranks had met",
                     place.rank, place.address, place.port)
        .with_hint("check the output of rank 0");
  }
  throw make_error(ErrorKind::peer, "rank {}: waited {:.3g} s for rank 0 at {}:{} to meet all",
                   place.rank, seconds_since(start), place.address, place.port)
      .with_hint("check whether rank 0 hangs; --join-timeout sets how long to wait");
}

void heed_first(Store& store, const Place& place) {
  const std::string met = verdict_of_first(store, place);
  if (met.empty()) return;
  const std::vector<std::string> missing = split(met, ',');
  const bool late = std::ranges::any_of(
      missing, [&](const std::string& rank) { return trim(rank) == std::to_string(place.rank); });
  if (!late) {  // rank 0 says which are missing, before the launcher counts this rank as lost
    std::this_thread::sleep_for(3 * kTimeToRead);
    throw Error(ErrorKind::peer, "");
  }
  throw make_error(ErrorKind::peer, "rank {}: rank 0 had given up waiting for it after {:.3g} s",
                   place.rank, place.join_timeout)
      .with_hint("start all ranks at the same time; --join-timeout sets how long they wait");
}

// Whether this rank is the first that ends by an error, and whether all ranks do.
struct Endings {
  bool first = true, everywhere = false;
};

// Waits a moment for the others. If the store is gone, this rank reports its own error.
Endings compare_endings(Store& store, int ranks, const Error& error) try {
  const std::string key =
      fmt::format("ended/{}/{}/{}", error.exit_code(), error.what(), error.hint());
  const auto start = Clock::now();
  Endings endings{.first = store.add(key, 1) == 1};
  while (!(endings.everywhere = store.add(key, 0) == ranks) && seconds_since(start) < kSameError)
    std::this_thread::sleep_for(kPoll);
  return endings;
} catch (const Error&) {
  return {};
}

// NCCL refuses two ranks on one GPU. Gloo serves them, by way of the host's memory.
bool each_has_its_own(Ranks& ranks, const at::Device& device) {
  const std::vector<std::string> all = ranks.gather(host_name() + " " + device.str());
  return std::set<std::string>(all.begin(), all.end()).size() == all.size();
}

}  // namespace

Ranks::Ranks(const Place& place, const at::Device& device) : place_(place) {
  JoinGuard guard(place);
  guard.allow(place.join_timeout + kGrace);
  store_ = connect(place, place.join_timeout);
  stops_.emplace();
  // Ranks wait for rank 0 for up to twice the time and a second.
  guard.allow(2 * (place.join_timeout + kGrace));
  meet(place.join_timeout);
  watch_ = std::make_unique<Watch>(place, store_->another(), place.lost_after);
  guard.allow(kNoLimit);
  call([&] { control_ = make_backend(place, at::kCPU, "control", *store_); });
  if (device.is_cuda() && each_has_its_own(*this, device))
    call([&] { data_ = make_backend(place, device, "data", *store_); });
}

Ranks::~Ranks() { part(); }

// Rank 0 waits for all other ranks, and then tells them that all have come or which are missing.
void Ranks::meet(double seconds) {
  store_->set(here_key(place_.rank), "");
  if (place_.rank != 0) return heed_first(*store_, place_);
  const std::vector<std::string> missing = missing_after(seconds, *store_, place_.size);
  store_->set(kMet, join(missing, ", "));
  if (missing.empty()) return;
  std::this_thread::sleep_for(kTimeToRead);
  throw make_error(
      ErrorKind::peer, "waited {:.3g} s for {} ranks at {}:{}; rank{} {} did not connect", seconds,
      place_.size, place_.address, place_.port, missing.size() > 1 ? "s" : "", join(missing, ", "))
      .with_hint(
          "check the output of those processes, and whether they were started at all; "
          "--join-timeout sets how long to wait");
}

template <class F>
void Ranks::call(F f) {
  const auto start = Clock::now();
  try {
    f();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (std::this_thread::get_id() == main_thread_) {
      main_seconds_ += seconds;
    } else {
      other_seconds_ += seconds;
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::peer) throw;
    watch_->failed(error);
  }
}

void Ranks::set_phase(const std::string& phase) {
  if (watch_) watch_->set_phase(phase);
}

void Ranks::will_save() {
  if (watch_) watch_->will_save();
}

// Polls the store for a key. If the rank that should set it is lost, the watch ends this process.
std::string Ranks::await(const std::string& key) {
  for (;;) {
    if (auto text = store_->get(key)) return *text;
    std::this_thread::sleep_for(kPoll);
  }
}

std::vector<std::string> Ranks::gather(const std::string& text) {
  if (alone()) return {text};
  const std::string key = fmt::format("text/{}/", ++texts_);
  std::vector<std::string> all;
  call([&] {
    store_->set(key + std::to_string(place_.rank), text);
    for (int rank = 0; rank < place_.size; ++rank) all.push_back(await(key + std::to_string(rank)));
  });
  return all;
}

std::string Ranks::from_first(const std::string& text) {
  if (alone()) return text;
  const std::string key = fmt::format("text/{}", ++texts_);
  std::string first = text;
  call([&] {
    if (place_.rank == 0) {
      store_->set(key, text);
    } else {
      first = await(key);
    }
  });
  return first;
}

double Ranks::from_first(double number) {
  std::vector<double> values{first() ? number : 0};
  sum(values);
  return values[0];
}

// Two more values follow the given ones: how many ranks received a signal, and the sum of the
// signal numbers.
void Ranks::sum(std::vector<double>& values) {
  if (alone()) return;
  const int signal = stop_requested();
  std::vector<double> all = values;
  all.push_back(signal ? 1 : 0);
  all.push_back(signal);
  const auto count = static_cast<std::int64_t>(all.size());
  call([&] { control_->sum(at::from_blob(all.data(), {count}, at::kDouble)); });
  const double stopped = all[values.size()];
  if (stopped > 0) stop_signal_ = static_cast<int>(std::lround(all.back() / stopped));
  std::copy_n(all.begin(), values.size(), values.begin());
}

void Ranks::stop_point(const char* what) {
  if (alone()) return stagedtrain::stop_point(what);
  if (!stop_signal_) return;
  throw agreed(make_error(ErrorKind::interrupted, "{} while {}", stop_words(stop_signal_), what));
}

void Ranks::barrier() {
  std::vector<double> nothing;
  sum(nothing);
}

void Ranks::all_to_all(const at::Tensor& out, const at::Tensor& in,
                       const std::vector<std::int64_t>& out_counts,
                       const std::vector<std::int64_t>& in_counts) {
  call([&] { (data_ ? data_ : control_)->all_to_all(out, in, out_counts, in_counts); });
}

void Ranks::all_gather(const at::Tensor& whole, const at::Tensor& part) {
  call([&] { (data_ ? data_ : control_)->all_gather(whole, part); });
}

void Ranks::wait(const std::function<void()>& f) {
  const auto start = Clock::now();
  f();
  wait_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
}

CommunicationTime Ranks::take_time() {
  const double waits = std::exchange(wait_seconds_, 0);
  return {std::exchange(main_seconds_, 0) + waits,
          std::max(0.0, other_seconds_.exchange(0) - waits)};
}

Error Ranks::agreed(Error error) {
  agreed_ = error.kind();
  return error;
}

bool Ranks::all_throw(const Error& error) const { return alone() || agreed_ == error.kind(); }

// Ranks that end by the same error within a moment agree on it, and the first of them prints it.
bool Ranks::end_by(const Error& error) {
  if (alone()) return true;
  if (all_throw(error)) {
    part();
    return first();
  }
  if (!watch_) return true;
  const Endings endings = compare_endings(*store_, place_.size, error);
  if (endings.everywhere) {
    agreed_ = error.kind();
    part();
  } else {
    watch_->end_others(error);
  }
  return endings.first;
}

void Ranks::part() {
  if (watch_) watch_->part();
}

}  // namespace stagedtrain::dist
