// Runs gnuplot as a child process.
#include "figures/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "io/file.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

// A private temporary folder that is removed with its content.
class WorkFolder {
 public:
  WorkFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "stagedtrain-report-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw resource_error("{}: cannot make a temporary folder: {}", name, std::strerror(errno))
          .with_hint("set TMPDIR to a folder that can be written");
    path_ = name;
  }
  ~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  Path operator/(const std::string& name) const { return path_ / name; }

 private:
  Path path_;
};

void write_whole(const Path& path, const std::string& text) {
  OutputFile file(path, OutputFile::Mode::create_new);
  file.append(text);
  file.close();
}

// Runs the program on the script with stdout and stderr redirected to the log, and returns its wait
// status.
int run_program(const std::string& program, const Path& script, const Path& log) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  std::string name = program, defaults = "--default-settings", file = script.string();
  std::array<char*, 4> arguments{name.data(), defaults.data(), file.data(), nullptr};
  pid_t child = 0;
  const int failed =
      ::posix_spawnp(&child, name.c_str(), &actions, nullptr, arguments.data(), ::environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed == ENOENT)
    throw resource_error("{} was not found; the report's plots are drawn with it", program)
        .with_hint("install it: apt-get install gnuplot-nox");
  if (failed) throw resource_error("{} cannot be started: {}", program, std::strerror(failed));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) throw resource_error("{}: {}", program, std::strerror(errno));
  return status;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {}", WTERMSIG(status));
  return fmt::format("failed with exit code {}", WEXITSTATUS(status));
}

}  // namespace

std::vector<std::string> draw(const std::vector<Figure>& figures, const std::string& program) {
  if (figures.empty()) return {};
  const WorkFolder folder;
  std::string script;
  std::vector<Path> pictures;
  for (const Figure& figure : figures) {
    pictures.push_back(folder / fmt::format("figure-{}.svg", pictures.size()));
    script += gnuplot_script(figure, pictures.back().string());
  }
  const Path script_path = folder / "figures.gnuplot", log = folder / "log";
  write_whole(script_path, script);
  const int status = run_program(program, script_path, log);
  std::vector<std::string> drawn;
  for (const Path& picture : pictures) {
    if (std::error_code error; status != 0 || !std::filesystem::is_regular_file(picture, error))
      throw resource_error("{} {}: {}", program,
                           status ? how_it_ended(status) : std::string("drew nothing"),
                           trim(read_text_file(log)))
          .with_hint("gnuplot 5.4 with the svg terminal is expected (package gnuplot-nox)");
    drawn.push_back(read_text_file(picture));
  }
  return drawn;
}

}  // namespace stagedtrain::report
