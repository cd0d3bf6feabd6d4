// Which subcommands are there? Each is one file of this folder and adds itself to the command line.
#pragma once

#include <CLI/CLI.hpp>

namespace stagedtrain::cmd {

// Each adds its subcommand with options, help, examples, and a callback that does the work. Results
// go to stdout and progress to stderr. Errors are thrown as Error and caught once, in main.
void add_data(CLI::App& app);
void add_plan(CLI::App& app);
void add_grow(CLI::App& app);
void add_train(CLI::App& app);
void add_eval(CLI::App& app);
void add_docs(CLI::App& app);  // hidden: generates pages of docs/; reads the whole app when it runs
void add_help(CLI::App& app);  // reads the whole app when it runs
void add_report(CLI::App& app);
void add_show(CLI::App& app);
void add_import(CLI::App& app);
void add_export(CLI::App& app);

}  // namespace stagedtrain::cmd
