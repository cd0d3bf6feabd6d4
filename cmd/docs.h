// How is documentation generated from the tables of options?
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace stagedtrain::cmd {

// Returns the commands that --help lists.
std::vector<const CLI::App*> shown_commands(const CLI::App& app);
// Returns the options that a command's help lists, without --help.
std::vector<const CLI::Option*> shown_options(const CLI::App& command);

// Returns the completion script for a shell: "bash", "zsh" or "fish".
std::string completion_script(const CLI::App& app, const std::string& shell);
// Returns a manual page in troff for one command, or for the program if `command` is "". Throws
// Error(usage) with the nearest name if there is no such command.
std::string manual_page(const CLI::App& app, const std::string& command);

}  // namespace stagedtrain::cmd
