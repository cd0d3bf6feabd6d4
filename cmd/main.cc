// The program: finds the subcommand, runs it, and turns trouble into a message and an exit code.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <vector>

#include "base/error.h"
#include "base/signals.h"
#include "base/text.h"
#include "cmd/commands.h"

namespace stagedtrain::cmd {
namespace {

constexpr const char* kFooter = R"(
A first run, from text to a grown, trained model:
  stagedtrain data book.txt --out data/book
  stagedtrain plan schedules/demo.yaml
  stagedtrain train schedules/demo.yaml --out runs/first --set data.train=data/book/train.bin
      --set data.validation=data/book/validation.bin
  stagedtrain eval runs/first/stages/full.h5 --sample 200 --prompt "Light"

Exit codes: 0 done, 1 bug, 2 usage or schedule, 3 bad file, 4 disk, memory or library, 5 diverged,
75 folder in use, 85 interrupted after a save (run the same command again).
'stagedtrain COMMAND --help' has each command's options, units and examples.)";

// A misspelt command gets the nearest one; CLI11 would only say that it is left over.
void check_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name() == argv[1]) return;
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  throw usage_error("unknown command '{}'{}", argv[1], suggestion(argv[1], names))
      .with_hint("stagedtrain --help lists the commands");
}

// What CLI11 found wrong, in the words of every other error.
Error usage_of(const CLI::ParseError& error, const CLI::App& app) {
  std::string command = "stagedtrain";
  if (const auto chosen = app.get_subcommands(); !chosen.empty())
    command += " " + chosen.front()->get_name();
  return usage_error("{}", error.what()).with_hint(fmt::format("{} --help", command));
}

void flush_results() {
  errno = 0;
  if (std::fflush(stdout) != 0 && errno != EPIPE)
    throw resource_error("standard output: cannot write: {}", std::strerror(errno));
}

int run(int argc, char** argv) {
  CLI::App app("Trains language models in stages: a small one first, grown into larger ones.",
               "stagedtrain");
  app.set_version_flag("--version", "stagedtrain " STAGEDTRAIN_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  add_data(app);
  add_plan(app);
  add_train(app);
  add_grow(app);
  add_eval(app);
  add_docs(app);
  add_report(app);
  add_show(app);
  add_import(app);
  add_export(app);
  check_command(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    throw usage_of(error, app);
  }
  flush_results();
  return 0;
}

int complain(const char* message, const std::string& hint, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "stagedtrain: %s\n", message);
  if (!hint.empty()) std::fprintf(stderr, "  %s\n", hint.c_str());
  return code;
}

}  // namespace
}  // namespace stagedtrain::cmd

int main(int argc, char** argv) {
  using namespace stagedtrain;
  install_stop_signals();
  try {
    return cmd::run(argc, argv);
  } catch (const Error& error) {
    return cmd::complain(error.what(), error.hint(), error.exit_code());
  } catch (const std::bad_alloc&) {
    return cmd::complain("out of memory", "use a smaller model, batch.micro or file",
                         static_cast<int>(ErrorKind::resource));
  } catch (const std::exception& error) {
    return cmd::complain(error.what(), "this is a fault of stagedtrain; please report it",
                         static_cast<int>(ErrorKind::bug));
  }
}
