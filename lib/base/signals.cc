// Signal handlers that set a flag, and that end the process when nobody heeds it.
#include "base/signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <exception>

#include "base/agreed_stops.h"
#include "base/error.h"
#include "base/single_stops.h"

namespace stagedtrain {
namespace {

constexpr unsigned kGraceSeconds = 1;
constexpr std::int64_t kSameRequest = 1000, kSameInterrupt = 100;  // milliseconds

volatile std::sig_atomic_t g_stop_signal = 0;
std::atomic<std::int64_t> g_stop_time = 0;
std::atomic<bool> g_is_leaving = false;  // because of the request: nothing is to be said any more
std::atomic<int> g_stop_points_only = 0, g_stops_are_agreed = 0, g_stops_are_single = 0;
std::atomic<pid_t> g_process = 0;  // a forked child must not remove its parent's files
std::array<std::atomic<const char*>, 64> g_removed{};

std::int64_t milliseconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

void remove_files() {
  if (g_process != ::getpid()) return;
  for (const std::atomic<const char*>& path : g_removed)
    if (const char* name = path) ::unlink(name);
}

void write_to_stderr(std::initializer_list<const char*> parts) {
  for (const char* part : parts)
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) return;
}

// Ends the process with this signal; process 1 of a container only by exit.
[[noreturn]] void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  sigset_t open;
  sigemptyset(&open);
  sigaddset(&open, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &open, nullptr);
  std::raise(signal);
  ::_exit(128 + signal);
}

void on_stop_signal(int signal) {
  const int before = errno;
  const std::int64_t now = milliseconds_now();
  if (g_stop_signal == 0) {
    g_stop_signal = signal;
    g_stop_time = now;
    ::alarm(kGraceSeconds);
  } else if (now - g_stop_time > (signal == SIGINT ? kSameInterrupt : kSameRequest)) {
    remove_files();
    write_to_stderr({"stagedtrain: ", stop_words(signal),
                     " a second time: ended at once; what was saved before is kept\n"});
    end_by(signal);
  }
  errno = before;
}

// No stop_point() was reached within the grace.
void on_alarm(int) {
  if (g_stop_signal == 0 || g_stop_points_only > 0 || g_is_leaving) return;
  remove_files();
  write_to_stderr({"stagedtrain: ", stop_words(g_stop_signal),
                   "; nothing was written\n  run the same command again\n"});
  ::_exit(static_cast<int>(ErrorKind::interrupted));
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void install_stop_signals() {
  g_process = ::getpid();
  handle(SIGALRM, on_alarm);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) handle(signal, on_stop_signal);
  if (!is_ignored(SIGHUP)) handle(SIGHUP, on_stop_signal);
  for (int signal : {SIGPIPE, SIGXFSZ}) std::signal(signal, SIG_IGN);
}

const char* stop_words(int signal) {
  if (signal == SIGINT) return "interrupted";
  if (signal == SIGTERM) return "stopped by SIGTERM";
  if (signal == SIGHUP) return "stopped by SIGHUP";
  return "stopped by SIGUSR1";
}

int stop_requested() { return g_stop_signal; }
void reset_stop_request(int signal) {
  g_stop_signal = signal;
  g_is_leaving = false;
}

void stop_point(const char* what) {
  const bool waits = g_stops_are_agreed > 0 && g_stops_are_single == 0;
  const int signal = waits ? 0 : static_cast<int>(g_stop_signal);
  if (signal == SIGINT) throw make_error(ErrorKind::interrupted, "interrupted while {}", what);
  if (signal) throw make_error(ErrorKind::interrupted, "{} while {}", stop_words(signal), what);
}

StopPointsOnly::StopPointsOnly() { ++g_stop_points_only; }
// An exception that passes here after a request was thrown because of it, or ends the command
// anyway: what was to be saved has been saved, however long leaving takes.
StopPointsOnly::~StopPointsOnly() {
  if (g_stop_signal && std::uncaught_exceptions() > 0) g_is_leaving = true;
  if (--g_stop_points_only == 0 && g_stop_signal && g_process) ::alarm(kGraceSeconds);
}

StopsAreAgreed::StopsAreAgreed() {
  ++g_stop_points_only;
  ++g_stops_are_agreed;
}
StopsAreAgreed::~StopsAreAgreed() {
  --g_stops_are_agreed;
  --g_stop_points_only;
}

StopsAreSingle::StopsAreSingle() { ++g_stops_are_single; }
StopsAreSingle::~StopsAreSingle() { --g_stops_are_single; }

RemovedBySignal::RemovedBySignal(const char* path) : path_(path) {
  for (std::atomic<const char*>& place : g_removed) {
    const char* free = nullptr;
    if (place.compare_exchange_strong(free, path_)) return;
  }
}

RemovedBySignal::~RemovedBySignal() {
  for (std::atomic<const char*>& place : g_removed) {
    const char* own = path_;
    if (place.compare_exchange_strong(own, nullptr)) return;
  }
}

void say_and_leave(std::initializer_list<const char*> parts, int exit_code) {
  remove_files();
  write_to_stderr(parts);
  ::_exit(exit_code);
}

}  // namespace stagedtrain
