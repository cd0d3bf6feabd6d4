// The options of commands that several processes can share.
#pragma once

#include <CLI/CLI.hpp>

#include "cmd/launch.h"

namespace stagedtrain::cmd {

// Adds --processes, whose help begins with the verb, --join-timeout and --lost-after.
void add_launch_options(CLI::App& command, const std::string& verb, LaunchOptions& options);

}  // namespace stagedtrain::cmd
