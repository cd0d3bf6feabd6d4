// Does a plan know how long its processes need to send?
#pragma once

#include "cost/communication.h"

namespace stagedtrain::plan {

// Returns whether the bandwidths of all links that are used are known.
bool is_sending_timed(const Cluster& cluster);

}  // namespace stagedtrain::plan
