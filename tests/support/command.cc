// Programs under test: posix_spawn with temporary files for the three streams (no pipe can fill
// up).
#include "support/command.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace stagedtrain::test {
namespace {

std::FILE* temporary() {
  std::FILE* file = std::tmpfile();
  if (!file) throw std::runtime_error("cannot make a temporary file");
  return file;
}

// The whole file, by position, so that the writer's own place in it stays as it is.
std::string content(std::FILE* file) {
  std::string text;
  char part[65536];
  for (off_t at = 0;;) {
    const ssize_t size = ::pread(::fileno(file), part, sizeof part, at);
    if (size <= 0) return text;
    text.append(part, static_cast<std::size_t>(size));
    at += size;
  }
}

std::vector<std::string> merged_environment(const Command& command) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    bool replaced = false;
    for (const auto& [name, value] : command.environment)
      replaced = replaced || std::strncmp(*entry, (name + "=").c_str(), name.size() + 1) == 0;
    if (!replaced) all.push_back(*entry);
  }
  for (const auto& [name, value] : command.environment) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

RunningCommand::RunningCommand(Command command)
    : in_(temporary()),
      out_(temporary()),
      err_(temporary()),
      timeout_seconds_(command.timeout_seconds) {
  std::fwrite(command.input.data(), 1, command.input.size(), in_.get());
  std::rewind(in_.get());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(in_.get()), 0);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(out_.get()), 1);
  posix_spawn_file_actions_adddup2(&actions, ::fileno(err_.get()), 2);
  if (!command.folder.empty())
    posix_spawn_file_actions_addchdir_np(&actions, command.folder.c_str());
  auto environment = merged_environment(command);
  const int code = ::posix_spawnp(&pid_, command.arguments.at(0).c_str(), &actions, nullptr,
                                  pointers(command.arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (code)
    throw std::runtime_error(command.arguments[0] + ": cannot start: " + std::strerror(code));
}

RunningCommand::~RunningCommand() {
  if (pid_ <= 0) return;
  send(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void RunningCommand::send(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

std::string RunningCommand::out() const { return content(out_.get()); }
std::string RunningCommand::err() const { return content(err_.get()); }

CommandResult RunningCommand::wait() {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(timeout_seconds_);
  CommandResult result;
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (!result.timed_out && Clock::now() > end) {
      result.timed_out = true;
      send(SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  pid_ = -1;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = out();
  result.err = err();
  return result;
}

CommandResult run(Command command) { return RunningCommand(std::move(command)).wait(); }

std::string program() {
  const char* path = std::getenv("STAGEDTRAIN");
  return path ? path : "./stagedtrain";
}

CommandResult stagedtrain(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program());
  return run({.arguments = std::move(arguments)});
}

}  // namespace stagedtrain::test
