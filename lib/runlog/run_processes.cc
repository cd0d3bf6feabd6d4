// Looks at the start and checkpoint events of a log.
#include "runlog/run_processes.h"

#include <algorithm>

#include "runlog/json_reader.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::runlog {
namespace {

void add_event(const JsonReader& event, RunProcesses& found) {
  const std::string kind = event.text("event");
  if (kind == "start")
    found.most = std::max(found.most, event.object("ranks").maybe("count").value_or(1));
  if (kind == "checkpoint")
    found.saves.push_back({event.number("bytes"), event.number("write_seconds")});
}

}  // namespace

RunProcesses read_processes(const Path& log) {
  RunProcesses found;
  std::error_code none;
  if (!std::filesystem::exists(log, none)) return found;
  for (const std::string& line : split(read_text_file(log), '\n')) try {
      const std::optional<Json> json = try_parse_json(line);
      if (json) add_event(JsonReader(*json, log.string()), found);
    } catch (const Error& error) {  // no object, or a value of another type
      if (error.kind() != ErrorKind::input) throw;
    }
  return found;
}

}  // namespace stagedtrain::runlog
