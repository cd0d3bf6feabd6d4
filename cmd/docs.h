// Pages that are made from the option tables.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace stagedtrain::cmd {

// The commands that --help lists.
std::vector<const CLI::App*> shown_commands(const CLI::App& app);
// The options of a command that its help lists, without --help.
std::vector<const CLI::Option*> shown_options(const CLI::App& command);

// A script for the shell: "bash", "zsh" or "fish".
std::string completion_script(const CLI::App& app, const std::string& shell);
// A manual page in troff: of the program, or of one command. Throws Error(usage) with the nearest
// name.
std::string manual_page(const CLI::App& app, const std::string& command);

}  // namespace stagedtrain::cmd
