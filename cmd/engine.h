// The stairs: finds and opens the module that computes, when a command needs it.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "train/engine.h"

namespace stagedtrain::cmd {

// The module is looked for as $STAGEDTRAIN_MODULE, then beside the program, then in ../lib and
// ../lib/stagedtrain. Opened once. Throws Error(resource) if it is not there or cannot be loaded.
const train::Engine& engine();

// --device, --threads and --kernels, which it returns.
std::vector<CLI::Option*> add_device_options(CLI::App& command, train::DeviceRequest& device);

}  // namespace stagedtrain::cmd
