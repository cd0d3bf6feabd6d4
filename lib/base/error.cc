// Defines the parts of error.h that must exist once in the program: Error and the failure of
// ST_CHECK.
#include "base/error.h"

namespace stagedtrain {

Error::Error(ErrorKind kind, std::string message, std::string hint)
    : std::runtime_error(std::move(message)), kind_(kind), hint_(std::move(hint)) {}

Error::~Error() = default;

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  throw Error(
      ErrorKind::bug, fmt::format("{}:{}: {} (expected: {})", file, line, message, condition),
      "this is a bug in stagedtrain, not in your input; please report it with the command line");
}

}  // namespace stagedtrain
