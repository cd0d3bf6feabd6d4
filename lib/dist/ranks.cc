// Brings the ranks of a run together, and implements the collective calls that all parts of a run
// share.
#include "dist/ranks.h"

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "base/signals.h"
#include "text/text.h"

namespace stagedtrain::dist {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{5};

// Seconds that a call may take longer than it was asked to wait, on a busy machine.
constexpr double kGrace = 5;

std::string here_key(int rank) { return "here/" + std::to_string(rank); }

// Ends this process if it is not destroyed in time. Calls of the store wait without end for a rank
// 0 that hangs or for another program that has its port, and there is no watch yet.
class Deadline {
 public:
  Deadline(const Place& place, double seconds)
      : thread_([this, place, seconds] { wait(place, seconds); }) {}
  ~Deadline() {
    {
      const std::scoped_lock lock(mutex_);
      kept_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  void wait(const Place& place, double seconds) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return kept_; }))
      return;
    const std::string text = fmt::format(
        "stagedtrain: rank {}: waited {:.3g} s for rank 0 at {}:{} (MASTER_ADDR, MASTER_PORT), "
        "which accepts connections but does not answer\n"
        "  check whether rank 0 hangs, or whether another program has this port\n",
        place.rank, seconds, place.address, place.port);
    say_and_leave({text.c_str()}, static_cast<int>(ErrorKind::peer));
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool kept_ = false;
  std::thread thread_;  // the last member, because it uses the others
};

}  // namespace

Ranks::Ranks(const Place& place, const at::Device& device) : place_(place) {
  {
    const Deadline deadline(place, place.join_timeout + kGrace);
    store_ = connect(place, place.join_timeout);
  }
  stops_.emplace();
  {
    // meet() waits for up to twice the time and a second.
    const Deadline deadline(place, 2 * (place.join_timeout + kGrace));
    meet(place.join_timeout);
    watch_ = std::make_unique<Watch>(place, store_->another(), place.lost_after);
  }
  call([&] {
    control_ = make_backend(place, at::kCPU, "control", *store_);
    if (device.is_cuda()) data_ = make_backend(place, device, "data", *store_);
  });
}

Ranks::~Ranks() { part(); }

// Rank 0 waits for all other ranks, and then tells them that all have come or which are missing.
void Ranks::meet(double seconds) {
  const auto start = Clock::now();
  store_->set(here_key(place_.rank), "");
  const auto waited = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  std::vector<std::string> missing;
  if (place_.rank == 0) {
    for (int rank = 1; rank < place_.size; ++rank) {
      while (!store_->get(here_key(rank)) && waited() < seconds) {
        if (stop_requested())
          throw make_error(ErrorKind::interrupted, "stopped while connecting all ranks");
        std::this_thread::sleep_for(kPoll);
      }
      if (!store_->get(here_key(rank))) missing.push_back(std::to_string(rank));
    }
    store_->set("met", join(missing, ", "));
  } else {
    std::optional<std::string> met;
    // Rank 0 waits for the same time, and may have started later.
    while (!(met = store_->get("met")) && waited() < 2 * seconds + 1)
      std::this_thread::sleep_for(kPoll);
    if (met && met->empty()) return;
    missing = {met.value_or("0")};
  }
  if (missing.empty()) return;
  if (place_.rank == 0) std::this_thread::sleep_for(std::chrono::milliseconds(300));
  throw make_error(
      ErrorKind::peer, "waited {:.3g} s for {} ranks at {}:{}; rank{} {} did not connect", waited(),
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

void Ranks::stands(const std::string& phase) {
  if (watch_) watch_->stands(phase);
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

bool Ranks::end_by(const Error& error) {
  if (alone()) return true;
  if (all_throw(error)) {
    part();
    return first();
  }
  if (watch_) watch_->tell(error);
  return true;
}

void Ranks::part() {
  if (watch_) watch_->part();
}

}  // namespace stagedtrain::dist
