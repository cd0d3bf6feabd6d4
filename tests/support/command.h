// Runs a program as a user does, and says what it printed and how it ended.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stagedtrain::test {

// What to run. environment is added to this process's own ("NAME", "value"); input becomes stdin.
struct Command {
  std::vector<std::string> arguments;  // the program first; looked up in PATH if it has no slash
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::string input = "";
  std::filesystem::path folder = {};  // where it runs; empty: here
  double timeout_seconds = 120;       // then it is killed, and timed_out is set
};

struct CommandResult {
  int exit_code = -1;  // 128 + n if signal n ended it
  bool timed_out = false;
  std::string out, err;
};

// A program that was started. Killed by the destructor if it still runs. For tests that send
// signals; all others use run().
class RunningCommand {
 public:
  // Throws std::runtime_error if it cannot be started.
  explicit RunningCommand(Command command);
  ~RunningCommand();
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;
  pid_t pid() const { return pid_; }
  void send(int signal) const;
  // What it has printed so far.
  std::string out() const;
  std::string err() const;
  // Waits until it ends or its time is over; call once.
  CommandResult wait();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;
  File in_, out_, err_;
  pid_t pid_ = -1;
  double timeout_seconds_;
};

CommandResult run(Command command);
// The executable under test: $STAGEDTRAIN (ctest sets it), else ./stagedtrain.
std::string program();
// stagedtrain with these arguments.
CommandResult stagedtrain(std::vector<std::string> arguments);

}  // namespace stagedtrain::test
