// Reading curves; every refusal says file, line, what was found and what was expected.
#include "plan/curves.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/json.h"
#include "base/text.h"

namespace stagedtrain::plan {
namespace {

constexpr const char* kCsvHint =
    "a curve has the columns step, lr, loss; finished runs have parameters, loss, and tokens or "
    "training_flop";

struct Row {
  std::string where;
  std::vector<double> values;
};

// A CSV file of numbers under a header.
struct Csv {
  std::string name;
  std::vector<std::string> columns;
  std::vector<Row> rows;

  std::optional<std::size_t> find(const std::string& column) const {
    const auto found = std::ranges::find(columns, column);
    if (found == columns.end()) return std::nullopt;
    return static_cast<std::size_t>(found - columns.begin());
  }
  bool has(const std::string& column) const { return find(column).has_value(); }
};

std::vector<double> read_row(const std::string& line, const std::string& where,
                             const std::vector<std::string>& columns) {
  const std::vector<std::string> cells = split(line, ',');
  if (cells.size() != columns.size())
    throw input_error("{}: found {} values, expected {} ({})", where, cells.size(), columns.size(),
                      join(columns, ", "));
  std::vector<double> values;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto value = parse_number(trim(cells[i]));
    if (!value || !std::isfinite(*value))
      throw input_error("{}: {} is '{}', expected a number", where, columns[i], trim(cells[i]))
          .with_hint("end the file before this line, or remove the line if only it is bad");
    values.push_back(*value);
  }
  return values;
}

Csv read_table(const std::string& text, const std::string& name) {
  Csv csv{name, {}, {}};
  std::size_t number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    if (csv.columns.empty()) {
      for (const std::string& column : split(line, ','))
        csv.columns.push_back(lower(std::string(trim(column))));
    } else {
      const std::string where = fmt::format("{}:{}", name, number);
      csv.rows.push_back({where, read_row(line, where, csv.columns)});
    }
  }
  return csv;
}

void check_positive(const Csv& csv, const Row& row, std::size_t column) {
  if (!(row.values[column] > 0))
    throw input_error("{}: {} is {}, expected a number above 0", row.where, csv.columns[column],
                      row.values[column]);
}

LoggedCurve read_curve(const Csv& csv) {
  const std::size_t step = *csv.find("step"), lr = *csv.find("lr"), loss = *csv.find("loss");
  LoggedCurve curve;
  curve.name = csv.name;
  for (const Row& row : csv.rows) {
    check_positive(csv, row, loss);
    const law::LoggedStep point{row.values[step], row.values[lr], row.values[loss]};
    if (point.rate < 0)
      throw input_error("{}: lr is {}, expected 0 or more", row.where, point.rate);
    const double last = curve.steps.empty() ? -1 : curve.steps.back().step;
    if (!(point.step > last))
      throw input_error("{}: step {} after step {}, expected rising steps from 0", row.where,
                        point.step, last);
    curve.steps.push_back(point);
  }
  if (const auto tokens = csv.find("tokens"); tokens && csv.rows.size() > 1)
    curve.tokens_per_step = (csv.rows.back().values[*tokens] - csv.rows.front().values[*tokens]) /
                            (curve.steps.back().step - curve.steps.front().step);
  return curve;
}

LoggedEnds read_ends(const Csv& csv) {
  const std::size_t parameters = *csv.find("parameters"), loss = *csv.find("loss");
  const auto tokens = csv.find("tokens");
  const std::size_t length = tokens ? *tokens : *csv.find("training_flop");
  LoggedEnds ends{csv.name, {}};
  for (const Row& row : csv.rows) {
    for (std::size_t column : {parameters, loss, length}) check_positive(csv, row, column);
    const double count = row.values[parameters];
    const double seen = tokens ? row.values[length] : row.values[length] / (6 * count);
    ends.points.push_back({count, seen, row.values[loss]});
  }
  return ends;
}

// Where the log tells of this step: file:line, or the file alone.
std::string line_of(const Path& log, double step) {
  std::size_t number = 0, found = 0;
  for (const std::string& line : split(read_text_file(log), '\n')) {
    ++number;
    const std::optional<Json> event = try_parse_json(line, log.string());
    if (event && event->is_object() && event->value("event", "") == "step" &&
        event->value("step", -1.0) == step)
      found = number;
  }
  return found ? fmt::format("{}:{}", log.string(), found) : log.string();
}

// The step at which a stage's model began to train.
double begin_of(const runlog::Run& run, const std::string& stage) {
  for (const runlog::Growth& growth : run.growths)
    if (growth.stage == stage) return growth.at.step;
  double begin = 0;
  for (const runlog::StepPoint& point : run.steps) {
    if (point.stage == stage) return begin;
    begin = point.at.step;
  }
  return begin;
}

LoggedCurve stage_curve(const runlog::Run& run, const runlog::Stage& stage, const Path& log) {
  LoggedCurve curve;
  curve.name = run.stages.size() > 1 ? run.name + ":" + stage.name : run.name;
  curve.parameters = stage.params;
  curve.begin = begin_of(run, stage.name);
  const runlog::StepPoint *first = nullptr, *last = nullptr;
  for (const runlog::StepPoint& point : run.steps) {
    if (point.stage != stage.name) continue;
    if (!(std::isfinite(point.loss) && point.loss > 0 && point.lr >= 0))
      throw input_error("{}: the loss of step {} is no number above 0, or it has no learning rate",
                        line_of(log, point.at.step), point.at.step)
          .with_hint("the run diverged there: fit a log that ends before it");
    if (point.at.step <= curve.begin) continue;
    first = first ? first : &point;
    last = &point;
    curve.steps.push_back({point.at.step, point.lr, point.loss});
  }
  if (first != last)
    curve.tokens_per_step = (last->at.tokens - first->at.tokens) / (last->at.step - first->at.step);
  return curve;
}

}  // namespace

void read_csv(const std::string& text, const std::string& name, LoggedRuns& into) {
  const Csv csv = read_table(text, name);
  if (csv.has("step") && csv.has("lr") && csv.has("loss")) {
    into.curves.push_back(read_curve(csv));
  } else if (csv.has("parameters") && csv.has("loss") &&
             (csv.has("tokens") || csv.has("training_flop"))) {
    into.ends.push_back(read_ends(csv));
  } else {
    throw input_error("{}:1: found the columns '{}'", name, join(csv.columns, ", "))
        .with_hint(kCsvHint);
  }
}

void read_run(const runlog::Run& run, const Path& log, LoggedRuns& into) {
  for (const runlog::Stage& stage : run.stages) into.curves.push_back(stage_curve(run, stage, log));
}

LoggedRuns read_curves(const std::vector<std::string>& paths) {
  LoggedRuns logged;
  for (const std::string& path : paths) {
    if (lower(Path(path).extension().string()) == ".csv") {
      read_csv(read_text_file(path), path, logged);
      continue;
    }
    for (const runlog::Run& run : runlog::read_runs({path})) {
      const Path given(path);
      const bool is_file = std::filesystem::is_regular_file(given);
      read_run(run, is_file ? given : Path(run.name) / "run.jsonl", logged);
    }
  }
  return logged;
}

}  // namespace stagedtrain::plan
