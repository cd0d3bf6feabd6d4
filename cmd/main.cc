// The program: runs the subcommand and turns errors into a message and an exit code.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <new>
#include <sstream>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/signals.h"
#include "cmd/commands.h"
#include "cmd/join.h"
#include "cmd/mistakes.h"
#include "cmd/output.h"
#include "io/file.h"
#include "text/text.h"

#ifndef STAGEDTRAIN_REVISION
#define STAGEDTRAIN_REVISION ""  // not built from a git checkout
#endif

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
6 another process of the run was lost, 75 folder in use, 85 interrupted (what was trained is saved;
run the same command again).
'stagedtrain COMMAND --help' shows each command's options, units and examples.)";

// Opens descriptors 0, 1 and 2 if they are closed. Otherwise the next file that is opened would get
// one of them, and output meant for the terminal would be written into that file.
void open_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != descriptor) ::_exit(4);
}

// Breaks the descriptions of options, so that no line of a help is longer than 100 columns.
class WrappingFormatter : public CLI::Formatter {
 public:
  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text =
        wrapped(CLI::Formatter::make_option_desc(option), kColumns - get_column_width());
    if (!text.empty()) text.pop_back();  // the line break at its end, which CLI11 adds too
    return text;
  }

 private:
  static constexpr std::size_t kColumns = 100;
};

// Prints --help and --version. CLI11 would print them itself, and would not notice a full disk.
void print_help(const CLI::ParseError& error, const CLI::App& app) {
  std::ostringstream text;
  app.exit(error, text, text);
  print(text.str());
}

void run(int argc, char** argv) {
  CLI::App app("Trains language models in stages: a small one first, grown into larger ones.",
               "stagedtrain");
  app.set_version_flag("--version", "stagedtrain " STAGEDTRAIN_VERSION STAGEDTRAIN_REVISION);
  app.formatter(std::make_shared<WrappingFormatter>());
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
  add_help(app);
  check_command(app, argc, argv);
  check_set(argc, argv);
  check_empty(argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // All ranks have the same command line, so the first one speaks for all.
    if (error.get_exit_code() != 0 && is_later_rank()) throw Error(ErrorKind::usage, "");
    if (error.get_exit_code() != 0) throw usage_of(error, app);
    print_help(error, app);
  }
}

// Returns what was thrown as an Error.
Error as_error(const std::exception& thrown) {
  if (const auto* error = dynamic_cast<const Error*>(&thrown)) {
    const bool advice = !error->hint().empty() || error->kind() != ErrorKind::interrupted;
    return advice ? *error : error->with_hint("run the same command again");
  }
  if (dynamic_cast<const std::bad_alloc*>(&thrown))
    return resource_error("out of memory").with_hint("use a smaller model, batch.micro or file");
  if (dynamic_cast<const std::system_error*>(&thrown))
    return resource_error("{}", thrown.what())
        .with_hint(
            "the system refused a thread, a descriptor or a file: raise the limit (ulimit -a) or "
            "free some, then run the same command again");
  return Error(ErrorKind::bug, thrown.what(), "this is a bug in stagedtrain; please report it");
}

// Prints an error. The message is empty if another process of the same run prints it.
int complain(const Error& error) {
  if (*error.what())
    print_to_stderr(fmt::format("stagedtrain: {}\n", error.what()) +
                    (error.hint().empty() ? "" : "  " + error.hint() + "\n"));
  return error.exit_code();
}

}  // namespace
}  // namespace stagedtrain::cmd

int main(int argc, char** argv) {
  using namespace stagedtrain;
  cmd::open_standard_streams();
  install_stop_signals();
  guard_mapped_files();
  try {
    cmd::run(argc, argv);
    return 0;
  } catch (const std::exception& thrown) {
    const Error error = cmd::as_error(thrown);
    return cmd::complain(*error.what() ? cmd::ending_of(error) : error);
  }
}
