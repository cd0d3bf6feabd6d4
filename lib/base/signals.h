// A sticky request to stop: set by SIGTERM, SIGUSR1 or SIGINT, polled by every long loop.
#pragma once

namespace stagedtrain {

// Installs the handlers: the first such signal sets the flag, a second ends the process at once
// with that signal. SIGCONT and SIGPIPE change nothing. Call once, from main.
void install_stop_signals();
// The signal that asked to stop, or 0. Never resets by itself.
int stop_requested();
// For tests and for the start of a new command in one process.
void reset_stop_request(int signal = 0);
// Throws Error(interrupted) if a stop was requested; what says what was being done.
void stop_point(const char* what);

}  // namespace stagedtrain
