// Reading run.jsonl, line by line, with the rules for crashed and resumed runs.
#include "runlog/run_log.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "runlog/json_reader.h"

namespace stagedtrain::runlog {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

constexpr int kDeepest = 4;  // sub-folders that are searched for runs

Place read_place(const JsonReader& event) {
  return {event.number("step"), event.number("tokens"), event.number("flops"),
          event.number("seconds")};
}

Evaluation read_evaluation(const JsonReader& event) {
  return {.at = read_place(event),
          .stage = event.text("stage"),
          .loss = event.number("loss"),
          .se = event.number("stderr"),
          .windows = event.number("windows"),
          .seconds = event.number("eval_seconds")};
}

Growth read_growth(const JsonReader& event) {
  return {.at = read_place(event),
          .stage = event.text("stage"),
          .operators = event.text("operators"),
          .from = event.text("from"),
          .to = event.text("to"),
          .params_before = event.number("params_before"),
          .params_after = event.number("params_after"),
          .loss_before = event.number("loss_before"),
          .loss_after = event.number("loss_after"),
          .seconds = event.number("grow_seconds")};
}

Stage read_stage(const JsonReader& stage) {
  return {.name = stage.text("name"),
          .grow = stage.text("grow"),
          .model = stage.model("model"),
          .params = stage.number("params"),
          .non_embedding = stage.number("non_embedding"),
          .flops_per_token = stage.number("flops_per_token"),
          .steps = stage.number("steps"),
          .predicted_loss = stage.number("predicted_loss")};
}

void read_start(const JsonReader& event, Run& run) {
  run.version = event.text("version");
  run.time = event.text("time");
  run.device = event.text("device");
  run.curve = event.text("curve");
  run.predicted_by = event.text("predicted_by");
  run.seed = event.maybe("seed");
  run.threads = event.maybe("threads");
  run.total_steps = event.maybe("total_steps");
  run.final_model = event.model("final_model");
  const JsonReader data = event.object("data");
  run.train_data = data.text("train");
  run.validation_data = data.text("validation");
  run.stages.clear();
  for (const JsonReader& stage : event.list("stages")) run.stages.push_back(read_stage(stage));
  run.role = event.text("role");
  if (run.role.empty()) run.role = run.stages.size() > 1 ? "staged" : "scratch";
}

// Drops the points from this step on, so that a later line wins.
template <class T>
void drop_from(std::vector<T>& points, double step) {
  while (!points.empty() && points.back().at.step >= step) points.pop_back();
}
template <class T>
void replace_stage(std::vector<T>& points, T point) {
  std::erase_if(points, [&](const T& other) { return other.stage == point.stage; });
  points.push_back(std::move(point));
}

void add_evaluation(std::vector<Evaluation>& points, Evaluation point) {
  std::erase_if(points, [&](const Evaluation& other) {
    return other.at.step > point.at.step ||
           (other.at.step == point.at.step && other.stage == point.stage);
  });
  points.push_back(std::move(point));
}

void resume(Run& run, double step) {
  const auto void_after = [step](auto& points) {
    std::erase_if(points, [step](const auto& point) { return point.at.step > step; });
  };
  void_after(run.steps);
  void_after(run.evaluations);
  void_after(run.growths);
  void_after(run.endings);
  void_after(run.stage_ends);
  if (run.end && run.end->at.step > step) run.end.reset();
}

void add_event(const JsonReader& event, Run& run) {
  const std::string kind = event.text("event");
  if (kind == "start") {
    read_start(event, run);
  } else if (kind == "step") {
    StepPoint point{read_place(event), event.text("stage"), event.number("loss"),
                    event.number("grad_norm"), event.number("lr")};
    drop_from(run.steps, point.at.step);
    if (run.end && point.at.step > run.end->at.step) run.end.reset();  // trained further
    run.steps.push_back(std::move(point));
  } else if (kind == "evaluate") {
    add_evaluation(run.evaluations, read_evaluation(event));
  } else if (kind == "grow") {
    replace_stage(run.growths, read_growth(event));
  } else if (kind == "until") {
    replace_stage(run.endings, Ending{read_place(event), event.text("stage"), event.text("why")});
  } else if (kind == "stage_end") {
    replace_stage(run.stage_ends, read_evaluation(event));
  } else if (kind == "resume") {
    resume(run, event.number("step"));
  } else if (kind == "end") {
    run.end = RunEnd{read_place(event), event.number("loss"), event.number("stderr"),
                     event.number("bits_per_byte"), event.flag("decayed")};
  }
}

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
bool cut_by_crash(const std::vector<Line>& lines, std::size_t i, const std::string& where) {
  if (i + 1 == lines.size()) return true;
  const std::optional<Json> next = try_parse_json(lines[i + 1].text, where);
  if (!next || !next->is_object() || !next->contains("event")) return false;
  return (*next)["event"] == "start" || (*next)["event"] == "resume";
}

// The path's text with its numbers padded, so that budget-900 sorts before budget-1500.
std::string natural_key(const std::string& text) {
  std::string key, digits;
  const auto flush = [&] {
    if (!digits.empty())
      key += std::string(digits.size() < 20 ? 20 - digits.size() : 0, '0') + digits;
    digits.clear();
  };
  for (char c : text) {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else {
      flush();
      key += c;
    }
  }
  flush();
  return key;
}

// The logs that one argument stands for.
std::vector<Path> logs_of(const Path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    throw input_error("{}: no such run folder", path.string())
        .with_hint("give the folder that train wrote (its --out)");
  if (std::filesystem::is_regular_file(path, error)) return {path};
  std::vector<Path> logs;
  using Folders = std::filesystem::recursive_directory_iterator;
  Folders entries(path, std::filesystem::directory_options::skip_permission_denied, error), none;
  if (error) throw input_error("{}: cannot list the folder: {}", path.string(), error.message());
  for (; !error && entries != none; entries.increment(error)) {
    if (entries.depth() >= kDeepest) entries.disable_recursion_pending();
    if (entries->path().filename() == "run.jsonl" && entries->is_regular_file(error))
      logs.push_back(entries->path());
  }
  std::ranges::sort(logs, {}, [](const Path& log) { return natural_key(log.string()); });
  const auto own = std::ranges::find(logs, path / "run.jsonl");
  if (own != logs.end()) std::rotate(logs.begin(), own, own + 1);
  if (logs.empty())
    throw input_error("{}: found no run.jsonl in it or in folders in it", path.string())
        .with_hint("give the folder that train wrote (its --out)");
  return logs;
}

}  // namespace

bool Run::comparable() const {
  return end && end->decayed && std::isfinite(end->loss) && end->at.flops > 0 && end->at.tokens > 0;
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

Run read_log(const Path& log, std::string name) {
  const MappedFile file(log);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()),
                              file.bytes().size());
  if (text.size() > kMostBytes || (!text.empty() && text.front() != '{'))
    throw input_error("{}: is not the log of a run, which has one JSON object a line", log.string())
        .with_hint("give the folder that train wrote (its --out)");
  const std::vector<Line> lines = lines_of(text);
  Run run;
  run.name = std::move(name);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string where = fmt::format("{}:{}", log.string(), lines[i].number);
    const std::optional<Json> event = try_parse_json(lines[i].text, where);
    if (!event && cut_by_crash(lines, i, where)) continue;
    add_event(JsonReader(event ? *event : parse_json(lines[i].text, where), where), run);
  }
  if (run.role.empty())
    throw input_error(
        "{}: found no start event, expected one JSON object a line that begins with it",
        log.string())
        .with_hint("is this the log of a run that has begun? train writes run.jsonl");
  if (run.role != "staged" && run.role != "scratch")
    throw input_error("{}: the run's role is '{}', expected staged or scratch", log.string(),
                      run.role);
  return run;
}

std::vector<Run> read_runs(const std::vector<std::string>& paths) {
  std::vector<Run> runs;
  std::vector<Path> seen;
  for (const std::string& path : paths) {
    for (const Path& log : logs_of(path)) {
      const Path whole = std::filesystem::weakly_canonical(log);
      if (std::ranges::find(seen, whole) != seen.end()) continue;
      seen.push_back(whole);
      runs.push_back(read_log(log, log.parent_path().lexically_normal().string()));
    }
  }
  return runs;
}

}  // namespace stagedtrain::runlog
