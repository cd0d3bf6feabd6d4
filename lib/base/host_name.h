// What is this machine called?
#pragma once

#include <string>

namespace stagedtrain {

// Returns what gethostname() says, or "localhost" if it says nothing.
std::string host_name();

}  // namespace stagedtrain
