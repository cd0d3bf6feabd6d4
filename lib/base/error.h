// Error is the project's only exception. Its kinds are the process exit codes.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace stagedtrain {

// What went wrong, by who can fix it. The values are the process exit codes.
enum class ErrorKind {
  bug = 1,           // a broken invariant of the program; no input may cause it
  usage = 2,         // command line or schedule; nothing was started
  input = 3,         // a token file, text or checkpoint is bad
  resource = 4,      // disk full, memory, a missing library; the last good checkpoint is kept
  diverged = 5,      // NaN or a diverging loss
  peer = 6,          // another rank was lost
  locked = 75,       // another run holds the folder
  interrupted = 85,  // stopped by a signal after a durable save; rerun to continue
};

// The message says where, what was found and what was expected. The hint says what to do; it may be
// empty.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string message, std::string hint = "");
  ~Error() override;  // out of line: one type_info for the executable and its modules
  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }
  const std::string& hint() const { return hint_; }
  // Returns the same error with a hint: throw usage_error("...").with_hint("...").
  Error with_hint(std::string hint) const { return Error(kind_, what(), std::move(hint)); }

 private:
  ErrorKind kind_;
  std::string hint_;
};

template <class... Args>
Error make_error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Error(kind, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorKind::usage, format, std::forward<Args>(args)...);
}
template <class... Args>
Error input_error(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorKind::input, format, std::forward<Args>(args)...);
}
template <class... Args>
Error resource_error(fmt::format_string<Args...> format, Args&&... args) {
  return make_error(ErrorKind::resource, format, std::forward<Args>(args)...);
}

// Throws Error(bug) with file and line unless the condition holds. Only for conditions that no user
// or file can break.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& message);
#define ST_CHECK(condition, ...)                                                               \
  do {                                                                                         \
    if (!(condition))                                                                          \
      ::stagedtrain::check_failed(#condition, __FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
  } while (false)

}  // namespace stagedtrain
