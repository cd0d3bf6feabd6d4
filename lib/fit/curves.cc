// Reads logged curves and finished runs, from CSV files and run folders. Each error names file and
// line.
#include "fit/curves.h"

#include <algorithm>
#include <cmath>

#include "fit/csv_table.h"
#include "fit/recipe.h"
#include "runlog/branches.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr const char* kCsvHint =
    "a curve has the columns step, lr, loss; finished runs have parameters, loss, and tokens or "
    "training_flop";

bool name_has_other_separator(const std::string& header) {
  return header.find_first_of(";\t|") != std::string::npos;
}

double positive(const CsvTable& csv, std::size_t row, std::size_t column) {
  const double value = csv.number(row, column);
  if (!(value > 0))
    throw input_error("{}: {} is {}, expected a number above 0", csv.where(row),
                      csv.columns()[column], value);
  return value;
}

// Refuses what no log of losses in nats has. Fits walk over all steps up to the last, so one
// damaged number would take hours and all memory. where() names the place; it may be slow.
template <class Where>
void check_step(const Where& where, double step, double loss) {
  constexpr double kMostSteps = 1e7, kMostLoss = 1000;
  if (!(step <= kMostSteps))
    throw input_error("{}: step {}, expected at most {}", where(), step, kMostSteps);
  if (!(loss <= kMostLoss))
    throw input_error("{}: a loss of {}, expected nats per token, at most {}", where(), loss,
                      kMostLoss);
}

// Refuses curves without a learning rate: x counts steps at the peak rate, so there must be one.
void check_rates(const CsvTable& csv, const LoggedCurve& curve) {
  const auto is_zero = [](const scaling::LoggedStep& step) { return step.rate == 0; };
  if (!curve.steps.empty() && std::ranges::all_of(curve.steps, is_zero))
    throw input_error(
        "{}: lr is 0 here and in every other row, expected the learning rate of "
        "each step",
        csv.where(0))
        .with_hint("if the rate was constant, write any number above 0 in all rows");
}

LoggedCurve read_curve(const CsvTable& csv) {
  const std::size_t step = *csv.find("step"), lr = *csv.find("lr"), loss = *csv.find("loss");
  LoggedCurve curve;
  curve.name = csv.name();
  for (std::size_t row = 0; row < csv.size(); ++row) {
    const scaling::LoggedStep point{csv.number(row, step), csv.number(row, lr),
                                    positive(csv, row, loss)};
    if (point.rate < 0)
      throw input_error("{}: lr is {}, expected 0 or more", csv.where(row), point.rate);
    check_step([&] { return csv.where(row); }, point.step, point.loss);
    const double last = curve.steps.empty() ? -1 : curve.steps.back().step;
    if (!(point.step > last))
      throw input_error("{}: step {} after step {}, expected rising steps from 0", csv.where(row),
                        point.step, last);
    curve.steps.push_back(point);
  }
  check_rates(csv, curve);
  if (const auto tokens = csv.find("tokens"); tokens && csv.size() > 1)
    curve.tokens_per_step = (csv.number(csv.size() - 1, *tokens) - csv.number(0, *tokens)) /
                            (curve.steps.back().step - curve.steps.front().step);
  if (const auto parameters = csv.find("parameters"))
    for (std::size_t row = 0; row < csv.size(); ++row) {
      const double count = positive(csv, row, *parameters);
      if (row > 0 && count != curve.parameters)
        throw input_error("{}: parameters is {}, but {} before; expected one model in a curve",
                          csv.where(row), count, curve.parameters);
      curve.parameters = curve.non_embedding = count;
    }
  return curve;
}

LoggedEnds read_ends(const CsvTable& csv) {
  const std::size_t parameters = *csv.find("parameters"), loss = *csv.find("loss");
  const auto tokens = csv.find("tokens");
  const std::size_t length = tokens ? *tokens : *csv.find("training_flop");
  LoggedEnds ends{csv.name(), {}};
  for (std::size_t row = 0; row < csv.size(); ++row) {
    const double count = positive(csv, row, parameters), end = positive(csv, row, loss);
    const double amount = positive(csv, row, length);
    ends.points.push_back({count, tokens ? amount : amount / (6 * count), end});
  }
  return ends;
}

// Returns file:line of the log's line about this step, or the file alone if it is not found.
std::string line_of(const Path& log, double step) {
  std::size_t number = 0, found = 0;
  if (std::error_code none; !std::filesystem::is_regular_file(log, none)) return log.string();
  for (const std::string& line : split(read_text_file(log), '\n')) {
    ++number;
    const std::optional<Json> event = try_parse_json(line);
    if (event && event->is_object() && event->value("event", "") == "step" &&
        event->value("step", -1.0) == step)
      found = number;
  }
  return found ? fmt::format("{}:{}", log.string(), found) : log.string();
}

// Returns the step at which a stage's model began to train.
double begin_of(const runlog::Run& run, const std::string& stage) {
  for (const runlog::LoggedGrowth& growth : run.growths)
    if (growth.stage == stage) return growth.at.step;
  double begin = 0;
  for (const runlog::StepPoint& point : run.steps) {
    if (point.stage == stage) return begin;
    begin = point.at.step;
  }
  return begin;
}

LoggedCurve stage_curve(const runlog::Run& run, const runlog::LoggedStage& stage, const Path& log) {
  LoggedCurve curve;
  curve.name = run.stages.size() > 1 ? run.name + ":" + stage.name : run.name;
  curve.parameters = stage.params;
  curve.non_embedding = stage.non_embedding;
  curve.data = run.train_fingerprint;
  curve.optimizer = run.setting("optimizer.name");
  if (!curve.optimizer.empty())
    curve.parameterization = parameterization_text(run.setting("parameterization.base_width"),
                                                   run.setting("parameterization.base_layers"));
  if (stage.model.vocab > 0) {
    curve.architecture = stage.model.architecture;
    curve.vocab = static_cast<double>(stage.model.vocab);
    curve.context = static_cast<double>(stage.model.context);
  }
  curve.begin = begin_of(run, stage.name);
  const runlog::StepPoint *first = nullptr, *last = nullptr;
  for (const runlog::StepPoint& point : run.steps) {
    if (point.stage != stage.name) continue;
    if (!(std::isfinite(point.loss) && point.loss > 0 && point.lr >= 0))
      throw input_error(
          "{}: the loss of step {} is not a number above 0, or its learning rate is missing",
          line_of(log, point.at.step), point.at.step)
          .with_hint("the run diverged there; fit a log that ends before it");
    check_step([&] { return line_of(log, point.at.step); }, point.at.step, point.loss);
    if (point.at.step <= curve.begin) continue;
    first = first ? first : &point;
    last = &point;
    curve.steps.push_back({point.at.step, point.lr, point.loss, point.loss_steps});
  }
  for (const runlog::Evaluation& evaluation : run.evaluations)
    if (evaluation.stage == stage.name && evaluation.loss > 0 && evaluation.at.step > curve.begin)
      curve.validations.push_back({evaluation.at.step, 0, evaluation.loss});
  if (first != last)
    curve.tokens_per_step = (last->at.tokens - first->at.tokens) / (last->at.step - first->at.step);
  return curve;
}

}  // namespace

void read_csv(const std::string& text, const std::string& name, LoggedRuns& into) {
  const CsvTable csv(text, name);
  if (csv.has("step") && csv.has("lr") && csv.has("loss")) {
    into.curves.push_back(read_curve(csv));
  } else if (csv.has("parameters") && csv.has("loss") &&
             (csv.has("tokens") || csv.has("training_flop"))) {
    into.ends.push_back(read_ends(csv));
  } else {
    throw input_error("{}:1: found the columns '{}'", name, join(csv.columns(), ", "))
        .with_hint(csv.columns().size() == 1 && name_has_other_separator(csv.columns().front())
                       ? "cells are separated by commas"
                       : kCsvHint);
  }
}

void read_run(const runlog::Run& run, const Path& log, LoggedRuns& into) {
  for (const runlog::LoggedStage& stage : run.stages)
    into.curves.push_back(stage_curve(run, stage, log));
  if (run.stages.size() == 1 && run.from.empty() && run.comparable() && run.end->at.tokens > 0 &&
      run.end->loss > 0 && run.params() > 0)
    into.ends.push_back({run.name, {{run.params(), run.end->at.tokens, run.end->loss}}, true});
}

LoggedRuns read_curves(const std::vector<std::string>& paths) {
  LoggedRuns logged;
  std::vector<std::string> folders;
  for (const std::string& path : paths)
    if (lower(Path(path).extension().string()) == ".csv")
      read_csv(read_text_file(path), path, logged);
    else
      folders.push_back(path);
  if (folders.empty()) return logged;
  for (const runlog::Run& run : runlog::joined(runlog::read_runs(folders)))
    read_run(run, run.folder / "run.jsonl", logged);
  return logged;
}

}  // namespace stagedtrain::plan
