// Reads run.jsonl line by line, with the rules for crashed and resumed runs.
#include "runlog/run_log.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "runlog/log_reader.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::runlog {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

struct Line {
  std::size_t number;
  std::string_view text;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    ++number;
    if (const std::string_view line = trim(text.substr(0, length)); !line.empty())
      lines.push_back({number, line});
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return lines;
}

// A crash may cut the line being written: it is the last of the log, or the last before the run was
// continued.
bool cut_by_crash(const std::vector<Line>& lines, std::size_t i) {
  if (i + 1 == lines.size()) return true;
  const std::optional<Json> next = try_parse_json(lines[i + 1].text);
  if (!next || !next->is_object() || !next->contains("event")) return false;
  return (*next)["event"] == "start" || (*next)["event"] == "resume";
}

// Where the log contradicts "decayed": the rate of the last step lies above half of the highest
// one. Where neither the end nor its last step logged a rate, the last logged one, if it is of the
// last twentieth of the run and still the highest.
std::string rate_that_stayed_up(const Run& run) {
  double peak = 0, last = run.end->lr;
  for (const StepPoint& point : run.steps)
    if (point.lr > peak) peak = point.lr;
  if (run.steps.empty() || !(peak > 0)) return "";
  const StepPoint& step = run.steps.back();
  const bool at_end = step.at.step >= run.end->at.step;
  if (std::isnan(last) && at_end) last = step.lr;
  const bool near = step.at.step >= 0.95 * run.end->at.step;
  const bool up = std::isnan(last) ? near && step.lr >= peak : last > peak / 2;
  if (!up) return "";
  return fmt::format(
      "did not end fully decayed: its last logged learning rate is {}, its highest {}",
      format_number(std::isnan(last) ? step.lr : last), format_number(peak));
}

Error not_a_log(const Path& log) {
  return input_error("{}: is not the log of a run, which has one JSON object a line", log.string())
      .with_hint("give the folder that train wrote (its --out)");
}

// The event of a line; nothing if a crash cut it. Throws Error(input) for a line that is bad.
std::optional<Json> parsed_line(const std::vector<Line>& lines, std::size_t i,
                                const std::string& where) {
  std::optional<Json> event = try_parse_json(lines[i].text);
  if (!event && !cut_by_crash(lines, i)) return parse_json(lines[i].text, where);
  return event;
}

// Reads a log. Without bad, a bad line is an error; with it, bad lines are skipped and counted.
Run read_lines(const Path& log, std::string name, BadLines* bad) {
  const MappedFile file(log);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  const bool unlike = text.size() > kMostBytes || (!text.empty() && text.front() != '{');
  if (unlike && (!bad || text.size() > kMostBytes)) throw not_a_log(log);
  const std::vector<Line> lines = lines_of(text);
  Run run;
  run.name = std::move(name);
  run.folder = log.parent_path();
  LogReader reader(run);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string where = fmt::format("{}:{}", log.string(), lines[i].number);
    try {
      if (const auto event = parsed_line(lines, i, where)) reader.add(JsonReader(*event, where));
    } catch (const Error& error) {
      if (!bad || error.kind() != ErrorKind::input) throw;
      if (bad->count++ == 0) bad->first = error.what();
    }
  }
  if (unlike && run.role.empty()) throw not_a_log(log);
  return run;
}

void check_role(const Run& run, const Path& log) {
  if (run.role.empty())
    throw input_error(
        "{}: found no start event, expected one JSON object a line that begins with it",
        log.string())
        .with_hint("is this the log of a run that has begun? train writes run.jsonl");
  if (run.role != "staged" && run.role != "scratch")
    throw input_error("{}: the run's role is '{}', expected staged or scratch", log.string(),
                      run.role);
}

}  // namespace

std::string Run::setting(const std::string& key) const {
  const auto found = std::ranges::find(settings, key, &Setting::key);
  return found == settings.end() ? "" : found->value;
}

std::string Run::why_not_comparable() const {
  if (!end) return "has not ended";
  if (!std::isfinite(end->loss)) return "ended without a finite loss";
  if (!(end->at.flops > 0) || !(end->at.tokens > 0)) return "has no known cost in its log";
  if (!end->decayed) return "did not end fully decayed: its learning rate was still high";
  return rate_that_stayed_up(*this);
}

double Run::params() const { return stages.empty() ? kUnknown : stages.back().params; }

Place Run::last() const {
  if (end) return end->at;
  Place last;
  const auto later = [&](const Place& at) {
    if (!(at.step <= last.step)) last = at;
  };
  if (!steps.empty()) later(steps.back().at);
  if (!evaluations.empty()) later(evaluations.back().at);
  if (!stage_ends.empty()) later(stage_ends.back().at);
  return last;
}

Run read_log(const Path& log, std::string name, BadLines* bad) {
  Run run = read_lines(log, std::move(name), bad);
  if (run.role.empty() && bad && bad->count) throw input_error("{}", bad->first);
  check_role(run, log);
  return run;
}

}  // namespace stagedtrain::runlog
