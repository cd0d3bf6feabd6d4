// What this machine is called.
#pragma once

#include <string>

namespace stagedtrain {

// As gethostname() says; "localhost" where it says nothing.
std::string host_name();

}  // namespace stagedtrain
