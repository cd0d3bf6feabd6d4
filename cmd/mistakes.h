// What did the user probably mean by an invalid command line?
#pragma once

#include <CLI/CLI.hpp>

#include "base/error.h"

namespace stagedtrain::cmd {

// Throws Error(usage) if the first word is not a command; the hint names the nearest command, or
// the command for a schedule file.
void check_command(const CLI::App& app, int argc, char** argv);

// Throws Error(usage) for `--set lr.peak 1e-3`, where the parser would take the value for a file.
void check_set(int argc, char** argv);

// Throws Error(usage) for an option whose value is empty (`--out "$UNSET"`), unless it is a text
// for a model. Without this, most options would count as not given.
void check_empty(int argc, char** argv);

// Converts a parser's error to an Error(usage) with the usual form of message.
Error usage_of(const CLI::ParseError& error, const CLI::App& app);

}  // namespace stagedtrain::cmd
