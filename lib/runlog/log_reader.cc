// What does each event of a log change in the run that it describes?
#include "runlog/log_reader.h"

#include <algorithm>
#include <cmath>

#include "text/json.h"

namespace stagedtrain::runlog {
namespace {

Place read_place(const JsonReader& event) {
  return {event.number("step"), event.number("tokens"), event.number("flops"),
          event.number("seconds")};
}

// One window has no standard error; older logs wrote 0 for it.
double read_error(const JsonReader& event) {
  const double error = event.number("stderr");
  return error > 0 && !(event.number("windows") < 2) ? error : kUnknown;
}

Evaluation read_evaluation(const JsonReader& event) {
  return {.at = read_place(event),
          .stage = event.text("stage"),
          .loss = event.number("loss"),
          .se = read_error(event),
          .windows = event.number("windows"),
          .seconds = event.number("eval_seconds")};
}

LoggedGrowth read_growth(const JsonReader& event) {
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

Fit read_fit(const JsonReader& event) {
  return {.at = read_place(event),
          .stage = event.text("stage"),
          .steps = event.number("fit_steps"),
          .tokens = event.number("fit_tokens"),
          .flops = event.number("fit_flops"),
          .seconds = event.number("fit_seconds"),
          .loss_before = event.number("loss_before"),
          .loss_after = event.number("loss_after")};
}

Selection read_selection(const JsonReader& event) {
  return {.at = read_place(event),
          .stage = event.text("stage"),
          .windows = event.number("windows"),
          .selected = event.number("selected"),
          .passes = event.number("select_passes"),
          .flops = event.number("select_flops"),
          .seconds = event.number("select_seconds")};
}

LoggedTransplant read_transplant(const JsonReader& event) {
  return {.at = read_place(event),
          .stage = event.text("stage"),
          .from = event.text("from"),
          .samples = event.number("samples"),
          .flops = event.number("sensitivity_flops"),
          .seconds = event.number("sensitivity_seconds")};
}

LoggedStage read_stage(const JsonReader& stage) {
  return {.name = stage.text("name"),
          .grow = stage.text("grow"),
          .model = stage.model("model"),
          .params = stage.number("params"),
          .non_embedding = stage.number("non_embedding"),
          .flops_per_token = stage.number("flops_per_token"),
          .expected_flops_per_token = stage.number("expected_flops_per_token"),
          .policy = stage.text("policy"),
          .train_only = stage.text("train_only"),
          .steps = stage.number("steps"),
          .predicted_loss = stage.number("predicted_loss")};
}

// A setting's value as text: a text as it is, anything else as JSON.
std::vector<Setting> read_settings(const JsonReader& event) {
  std::vector<Setting> settings;
  for (auto& [key, value] : event.object("settings").members())
    settings.push_back({key, value.is_string() ? value.get<std::string>() : value.dump()});
  return settings;
}

RunFacts read_facts(const JsonReader& event) {
  RunFacts facts{.role = event.text("role"),
                 .predicted_by = event.text("predicted_by"),
                 .prediction = read_prediction(event.object("prediction")),
                 .schedule = event.text("schedule"),
                 .version = event.text("version"),
                 .time = event.text("time"),
                 .curve = event.text("curve"),
                 .from = event.text("from"),
                 .device = event.text("device"),
                 .hardware = event.text("hardware"),
                 .seed = event.maybe("seed"),
                 .threads = event.maybe("threads"),
                 .total_steps = event.maybe("total_steps"),
                 .final_model = event.model("final_model"),
                 .settings = read_settings(event)};
  const JsonReader data = event.object("data");
  facts.train_data = data.text("train");
  facts.validation_data = data.text("validation");
  facts.train_fingerprint = data.text("train_fingerprint");
  facts.validation_fingerprint = data.text("validation_fingerprint");
  facts.tokenizer = data.text("tokenizer");
  for (const JsonReader& stage : event.list("stages")) facts.stages.push_back(read_stage(stage));
  if (facts.role.empty()) facts.role = facts.stages.size() > 1 ? "staged" : "scratch";
  return facts;
}

std::vector<GeneratedText> read_generated(const JsonReader& event) {
  std::vector<GeneratedText> texts;
  for (const JsonReader& sample : event.list("samples"))
    texts.push_back(
        {read_place(event), event.text("stage"), sample.text("prompt"), sample.text("text")});
  return texts;
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
  void_after(run.generated);
  void_after(run.growths);
  void_after(run.fits);
  void_after(run.selections);
  void_after(run.transplants);
  void_after(run.endings);
  void_after(run.stage_ends);
  if (run.end && run.end->at.step > step) run.end.reset();
}

// Returns the number of steps over which a step's loss is the mean; 1 in logs of older versions.
double read_loss_steps(const JsonReader& event) {
  const double steps = event.maybe("loss_steps").value_or(1), at = event.number("step");
  if (!(steps >= 1 && steps <= std::max(1.0, at) && steps == std::floor(steps)))
    throw input_error("{}: found loss_steps {}, expected a whole number from 1 to the step, {}",
                      event.where(), steps, at)
        .with_hint("the line is damaged: remove it, or fit another run");
  return steps;
}

void add_event(const JsonReader& event, Run& run) {
  const std::string kind = event.text("event");
  if ((kind == "step" || kind == "evaluate") && !event.has("step"))
    throw input_error("{}: found no 'step', expected the step that the losses are of",
                      event.where());
  if (kind == "step") {
    StepPoint point{read_place(event),         event.text("stage"), event.number("loss"),
                    event.number("grad_norm"), event.number("lr"),  read_loss_steps(event)};
    drop_from(run.steps, point.at.step);
    if (run.end && point.at.step > run.end->at.step) run.end.reset();  // trained further
    run.steps.push_back(std::move(point));
  } else if (kind == "evaluate") {
    add_evaluation(run.evaluations, read_evaluation(event));
  } else if (kind == "sample") {
    drop_from(run.generated, event.number("step"));
    for (GeneratedText& text : read_generated(event)) run.generated.push_back(std::move(text));
  } else if (kind == "grow") {
    replace_stage(run.growths, read_growth(event));
  } else if (kind == "fit") {
    replace_stage(run.fits, read_fit(event));
  } else if (kind == "select") {
    drop_from(run.selections, event.number("step"));
    run.selections.push_back(read_selection(event));
  } else if (kind == "transplant") {
    replace_stage(run.transplants, read_transplant(event));
  } else if (kind == "until") {
    replace_stage(run.endings, Ending{read_place(event), event.text("stage"), event.text("why")});
  } else if (kind == "stage_end") {
    replace_stage(run.stage_ends, read_evaluation(event));
  } else if (kind == "resume") {
    if (run.steps.empty() && event.number("step") > 0) {
      run.branch_step = event.number("step");
      run.branch_file = event.text("file");
    }
    resume(run, event.number("step"));
  } else if (kind == "end") {
    run.end = RunEnd{read_place(event),     event.number("loss"),
                     read_error(event),     event.number("bits_per_byte"),
                     event.flag("decayed"), event.number("lr")};
    // An end does not say how many windows were scored; the end of its stage does.
    if (!run.stage_ends.empty() && run.stage_ends.back().windows < 2) run.end->se = kUnknown;
  }
}

}  // namespace

void LogReader::add(const JsonReader& event) {
  const std::string kind = event.text("event");
  if (kind == "start") {
    waiting_ = read_facts(event);
    begun_ = 0;
    if (run_.role.empty()) static_cast<RunFacts&>(run_) = *waiting_;
    return;
  }
  add_event(event, run_);
  if (kind == "resume") {
    begun_ = event.number("step");
  } else if (waiting_ && event.number("step") > begun_) {
    take_facts();
  }
}

void LogReader::take_facts() {
  const bool other = waiting_->device != run_.device || waiting_->threads != run_.threads;
  run_.moved = run_.moved || (trained_ && other);
  // The prediction of the first process counts: later ones were made with the run half done.
  if (trained_) waiting_->prediction = run_.prediction;
  trained_ = true;
  static_cast<RunFacts&>(run_) = std::move(*waiting_);
  waiting_.reset();
}

}  // namespace stagedtrain::runlog
