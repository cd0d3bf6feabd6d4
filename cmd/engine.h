// How does a command get the LibTorch module? It is found and loaded on first use.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "engine/ranks_interface.h"

namespace stagedtrain::cmd {

// Returns the module's functions. Looks for the module at $STAGEDTRAIN_MODULE, or, if that is not
// set, beside the program, in ../lib and in ../lib/stagedtrain. Loads it once. Throws
// Error(resource) if it is missing, cannot be loaded or is of another build.
const train::Engine& engine();
const train::RanksInterface& ranks_interface();

// Adds --device, --threads and --kernels, and returns them.
std::vector<CLI::Option*> add_device_options(CLI::App& command, train::DeviceRequest& device);

}  // namespace stagedtrain::cmd
