// Signal handlers that only set a flag.
#include "base/signals.h"

#include <csignal>

#include "base/error.h"

namespace stagedtrain {
namespace {

volatile std::sig_atomic_t g_stop_signal = 0;

void on_signal(int signal) {
  if (g_stop_signal == 0) {
    g_stop_signal = signal;
    return;
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int stop_requested() { return g_stop_signal; }
void reset_stop_request(int signal) { g_stop_signal = signal; }

void stop_point(const char* what) {
  if (g_stop_signal)
    throw make_error(ErrorKind::interrupted, "stopped by signal {} while {}",
                     static_cast<int>(g_stop_signal), what);
}

}  // namespace stagedtrain
