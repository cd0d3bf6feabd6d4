// What a person probably meant by a command line that cannot be read.
#pragma once

#include <CLI/CLI.hpp>

#include "base/error.h"

namespace stagedtrain::cmd {

// Throws Error(usage) if the first word is no command: the nearest one, or what a file there needs.
void check_command(const CLI::App& app, int argc, char** argv);

// Throws Error(usage) for `--set lr.peak 1e-3`: the parser would take the value for a file.
void check_set(int argc, char** argv);

// What the parser found wrong, in the words of every other error.
Error usage_of(const CLI::ParseError& error, const CLI::App& app);

}  // namespace stagedtrain::cmd
