// A sticky request to stop: set by SIGTERM, SIGHUP, SIGUSR1 or SIGINT, polled by every long loop.
#pragma once

#include <initializer_list>

namespace stagedtrain {

// Installs the handlers. Call once, from main.
//
// The first of SIGINT, SIGTERM, SIGUSR1 and SIGHUP sets the flag that stop_point() heeds. A later
// one ends the process at once with that signal. One that follows within a second (SIGINT: a tenth
// of one) is the same request told twice, as by systemd and launchers that pass signals on, and
// changes nothing. SIGHUP is left alone if it is ignored already (nohup). If no stop_point() was
// reached within a second, the process ends with exit code 85 all the same, unless a StopPointsOnly
// lives: then there is something to save first. SIGCONT, SIGPIPE and SIGXFSZ change nothing (a
// write beyond ulimit -f fails).
void install_stop_signals();
// The signal that asked to stop, or 0. Never resets by itself.
int stop_requested();
// Tests, and a process that starts a new command, call this.
void reset_stop_request(int signal = 0);
// Throws Error(interrupted) if a stop was requested; `what` names what was being done.
void stop_point(const char* what);

// While one lives, the first signal waits for a stop_point(), however long that takes. Once the
// exception of that stop_point() has left this scope, the process may take its time to end.
class StopPointsOnly {
 public:
  StopPointsOnly();
  ~StopPointsOnly();
  StopPointsOnly(const StopPointsOnly&) = delete;
  StopPointsOnly& operator=(const StopPointsOnly&) = delete;
};

// While it lives, the file is removed when a signal ends the process. The text must outlive it.
class RemovedBySignal {
 public:
  explicit RemovedBySignal(const char* path);
  ~RemovedBySignal();
  RemovedBySignal(const RemovedBySignal&) = delete;
  RemovedBySignal& operator=(const RemovedBySignal&) = delete;

 private:
  const char* path_;
};

// For signal handlers: removes those files, writes the parts to standard error, ends the process.
[[noreturn]] void say_and_leave(std::initializer_list<const char*> parts, int exit_code);

}  // namespace stagedtrain
