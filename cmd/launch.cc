// Starts the ranks of a run as child processes and supervises them.
#include "cmd/launch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/signals.h"
#include "base/stopwatch.h"
#include "cmd/output.h"
#include "io/free_memory.h"
#include "launch/board.h"
#include "text/text.h"

extern char** environ;

namespace stagedtrain::cmd {
namespace {

using Clock = std::chrono::steady_clock;
constexpr const char* kLaunched = "STAGEDTRAIN_LAUNCHED";

int gpus() {
  int count = 0;
  while (::access(fmt::format("/dev/nvidia{}", count).c_str(), F_OK) == 0) ++count;
  return count;
}

// The memory that a process takes once it has loaded LibTorch, before it has a model.
constexpr std::uint64_t kLeastBytes = 64 << 20;

void refuse_without_memory(std::int64_t count) {
  const std::uint64_t available = free_memory();
  if (static_cast<std::uint64_t>(count) > available / kLeastBytes)
    throw resource_error(
        "--processes {}: each process takes {} of memory before it has a model, and {} are "
        "available",
        count, short_bytes(static_cast<double>(kLeastBytes)),
        short_bytes(static_cast<double>(available)))
        .with_hint("start fewer processes");
}

int cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

// Ranks wait for each other in every step, so those beyond the cores and GPUs only cost time and
// memory. Some more are allowed, to try a large run's division on a small machine.
int most_processes() { return std::max({16, 4 * cores(), gpus()}); }

int process_count(const std::string& text) {
  if (text == "gpus") {
    if (const int count = gpus()) return count;
    throw usage_error("--processes gpus: this machine has no GPU (/dev/nvidia0)")
        .with_hint("give a number, such as --processes 2");
  }
  const auto count = parse_count(text);
  const int most = most_processes();
  if (!count || *count < 1 || *count > most)
    throw usage_error(
        "--processes: found '{}'; expected a number from 1 to {}, or gpus (this "
        "machine has {} core{})",
        text, most, cores(), cores() > 1 ? "s" : "")
        .with_hint("torchrun and srun start processes on several machines (docs/cluster.md)");
  refuse_without_memory(*count);
  return static_cast<int>(*count);
}

// Returns the number of threads that all processes together may use.
int all_threads() { return threads_asked().value_or(cores()); }

// A socket that listens on a free local port, so that no other process can take the port meanwhile.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (socket_ < 0 || ::bind(socket_, plain, size) != 0 || ::listen(socket_, 1024) != 0 ||
        ::getsockname(socket_, plain, &size) != 0)
      throw resource_error("cannot get a free local port for the ranks: {}", std::strerror(errno));
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int socket() const { return socket_; }
  int port() const { return port_; }

 private:
  int socket_ = -1, port_ = 0;
};

std::vector<std::string> own_arguments() {
  std::vector<std::string> arguments;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string line{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t at = 0; at < line.size(); at += arguments.back().size() + 1)
    arguments.push_back(line.c_str() + at);
  return arguments;
}

std::vector<std::string> environment_of(int rank, int count, const Listener& listener, int board) {
  const std::vector<std::pair<std::string, std::string>> own = {
      {"RANK", std::to_string(rank)},
      {"WORLD_SIZE", std::to_string(count)},
      {"LOCAL_RANK", std::to_string(rank)},
      {"LOCAL_WORLD_SIZE", std::to_string(count)},
      {"MASTER_ADDR", "127.0.0.1"},
      {"MASTER_PORT", std::to_string(listener.port())},
      {"STAGEDTRAIN_LISTENING", std::to_string(listener.socket())},
      {dist::kBoardVariable, std::to_string(board)},
      {kLaunched, "1"},
      {"OMP_NUM_THREADS", std::to_string(std::max(1, all_threads() / count))}};
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    if (std::ranges::none_of(own,
                             [&](const auto& one) { return text.starts_with(one.first + "="); }))
      all.push_back(text);
  }
  for (const auto& [name, value] : own) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// Returns "signal 9 (SIGKILL)". The kernel's own texts repeat "stopped" and "killed".
std::string signal_text(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? fmt::format("signal {} (SIG{})", signal, name) : fmt::format("signal {}", signal);
}

struct Child {
  int rank = 0;
  pid_t process = 0;
  std::optional<int> status;                 // as waitpid returns it
  std::optional<Clock::time_point> stopped;  // since when a signal has stopped it
};

class Job {
 public:
  Job(int count, double lost_after) : lost_after_(lost_after) {
    const Listener listener;
    std::vector<std::string> arguments = own_arguments();
    for (int rank = 0; rank < count; ++rank) start(rank, count, listener, arguments);
  }
  ~Job() {
    for (const Child& child : children_)
      if (!child.status) ::kill(child.process, SIGKILL);
    for (Child& child : children_)
      if (!child.status) ::waitpid(child.process, nullptr, 0);
    if (board_ >= 0) ::close(board_);
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // Returns the exit code of the run.
  int wait() {
    while (std::ranges::any_of(children_, [](const Child& child) { return !child.status; })) {
      pass_on_stop();
      for (Child& child : children_) look_at(child);
      kill_what_is_left_over();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return code_ ? code_ : lost_ ? static_cast<int>(ErrorKind::peer) : 0;
  }

 private:
  void start(int rank, int count, const Listener& listener, std::vector<std::string>& arguments) {
    std::vector<std::string> environment = environment_of(rank, count, listener, board_);
    std::vector<char*> environment_pointers = pointers(environment), argv = pointers(arguments);
    const pid_t parent = ::getpid(), process = ::fork();
    if (process < 0)
      throw resource_error("rank {} cannot be started: {}", rank, std::strerror(errno));
    if (process > 0) {
      children_.push_back({rank, process, {}});
      return;
    }
    // A signal from the terminal then reaches only the launcher, which passes it on once.
    ::setpgid(0, 0);
    // If the launcher dies, the ranks save and exit.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(static_cast<int>(ErrorKind::interrupted));
    if (rank == 0) ::fcntl(listener.socket(), F_SETFD, 0);
    ::execve("/proc/self/exe", argv.data(), environment_pointers.data());
    ::_exit(static_cast<int>(ErrorKind::resource));
  }

  void pass_on_stop() {
    const int signal = stop_requested();
    if (!signal || passed_on_) return;
    passed_on_ = true;
    for (const Child& child : children_)
      if (!child.status) ::kill(child.process, signal);
  }

  void look_at(Child& child) {
    if (child.status) return;
    int status = 0;
    if (::waitpid(child.process, &status, WNOHANG | WUNTRACED | WCONTINUED) != child.process)
      return look_at_stopped(child);
    if (WIFSTOPPED(status)) return note_stop(child, WSTOPSIG(status));
    if (WIFCONTINUED(status)) return child.stopped.reset();
    child.status = status;
    // Ranks that still wait for this one need not wait any longer.
    dist::Board(board_).post_loss();
    if (WIFSIGNALED(status)) {
      print_to_stderr(
          fmt::format("stagedtrain: rank {} (process {}) was killed by {}{}\n", child.rank,
                      child.process, signal_text(WTERMSIG(status)),
                      killing_ ? ", because it was still there some time after another rank had "
                                 "ended"
                               : ""));
      note_loss(lost_after_ + 15);
    } else if (const int code = WEXITSTATUS(status); code == static_cast<int>(ErrorKind::peer)) {
      note_loss(5);
    } else {
      // Ranks leave together, after the last file was written.
      if (!code_) code_ = code;
      note_end(lost_after_ + 15);
    }
  }

  void note_stop(Child& child, int signal) {
    print_to_stderr(
        fmt::format("stagedtrain: rank {0} (process {1}) was stopped by {2}; 'kill -CONT {1}' "
                    "continues it\n",
                    child.rank, child.process, signal_text(signal)));
    child.stopped = Clock::now();
  }

  // Ranks that have met find one that does nothing by its heartbeat; others are told here.
  void look_at_stopped(Child& child) {
    if (!child.stopped || seconds_since(*child.stopped) < lost_after_) return;
    child.stopped.reset();
    dist::Board(board_).post_loss();
  }

  void note_loss(double grace) {
    lost_ = true;
    note_end(grace);
  }
  void note_end(double grace) {
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(grace));
    if (!kill_at_ || end < *kill_at_) kill_at_ = end;
  }

  // Kills ranks that were stopped or hang after the others have exited.
  void kill_what_is_left_over() {
    if (!kill_at_ || Clock::now() < *kill_at_) return;
    killing_ = true;
    for (const Child& child : children_)
      if (!child.status) ::kill(child.process, SIGKILL);
  }

  double lost_after_;
  const int board_ = dist::Board::make();
  std::vector<Child> children_;
  int code_ = 0;  // the first exit code that is neither 0 nor ErrorKind::peer
  bool lost_ = false, passed_on_ = false, killing_ = false;
  std::optional<Clock::time_point> kill_at_;
};

}  // namespace

void export_rank_options(const LaunchOptions& options) {
  ::setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0);  // c10d logs every attempt to connect
  ::setenv("STAGEDTRAIN_SHARDING", options.sharding.c_str(), 1);
  ::setenv("STAGEDTRAIN_JOIN_TIMEOUT", format_number(options.join_timeout).c_str(), 1);
  ::setenv("STAGEDTRAIN_LOST_AFTER", format_number(options.lost_after).c_str(), 1);
}

std::optional<int> threads_asked() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  const auto count = parse_count(text ? text : "");
  if (!count || *count < 1) return {};
  return static_cast<int>(std::min<std::int64_t>(*count, 1 << 16));
}

bool is_launched() { return std::getenv(kLaunched) != nullptr; }

void launch(const LaunchOptions& options) {
  if (std::getenv("RANK"))
    throw usage_error(
        "--processes {}: RANK is set in the environment: another launcher has "
        "started this process as rank {}",
        options.processes, std::getenv("RANK"))
        .with_hint("leave --processes out, or unset RANK");
  const int count = process_count(options.processes);
  const StopPointsOnly until_ranks_end;
  for (int restart = 0;; ++restart) {
    const int code = Job(count, options.lost_after).wait();
    if (code == 0) return;
    const bool again = code == static_cast<int>(ErrorKind::peer) && restart < options.restarts;
    if (!again || stop_requested()) throw Error(static_cast<ErrorKind>(code), "");
    print_to_stderr(
        fmt::format("stagedtrain: a rank was lost; starting all ranks again ({} of {} restarts)\n",
                    restart + 1, options.restarts));
  }
}

}  // namespace stagedtrain::cmd
