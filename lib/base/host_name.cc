// Asks the system anew at each call.
#include "base/host_name.h"

#include <unistd.h>

namespace stagedtrain {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && *name ? name : "localhost";
}

}  // namespace stagedtrain
