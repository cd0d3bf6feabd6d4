// Writes the lines of run.jsonl.
#include "record/event_log.h"

#include <span>

#include "arch/cost.h"
#include "base/crc32c.h"
#include "cost/measurements.h"
#include "io/open_file_name.h"
#include "plan/stage_policy.h"
#include "text/json.h"

namespace stagedtrain::train {
namespace {

bool ends_in_mid_line(const Path& file) {
  std::error_code none;
  if (!std::filesystem::exists(file, none)) return false;
  const MappedFile log(file);
  return !log.bytes().empty() && log.bytes().back() != std::byte{'\n'};
}

Json stage_event(const schedule::Schedule& schedule, const plan::StagePlan& stage) {
  return {{"name", stage.name},
          {"grow", stage.growth ? stage.growth->operators() : ""},
          {"model", plan::to_json(stage.model)},
          {"params", stage.params.total},
          {"non_embedding", stage.params.non_embedding},
          {"flops_per_token", arch::flops_per_token(stage.model)},
          {"expected_flops_per_token", plan::expected_flops_per_token(stage).total},
          {"train_only", stage.train_only_new ? "new" : "all"},
          {"policy", plan::policy_key(stage)},
          {"optimizer_flops_per_step", plan::optimizer_flops_per_step(schedule, stage.model)},
          {"steps", stage.steps},
          {"predicted_loss", stage.predicted_loss ? Json(*stage.predicted_loss) : Json(nullptr)}};
}

std::string text_of(const Tree& value) {
  if (value.kind == Tree::Kind::scalar) return value.text;
  const std::string line = to_yaml(Tree::list({value}));  // a list within a list stays on one line
  return line.substr(1, line.size() - 3);
}

void add_settings(const Tree& tree, const std::string& path, Json& settings) {
  if (tree.kind != Tree::Kind::map) {
    settings[path] = text_of(tree);
    return;
  }
  for (const TreeEntry& entry : tree.entries)
    add_settings(entry.value, path.empty() ? entry.key : path + "." + entry.key, settings);
}

// The schedule's keys as "lr.peak": "0.003". Left out are those that the event has under names of
// their own, and those that training does not read.
Json settings_of(const schedule::Schedule& schedule) {
  Tree tree = write_fields(schedule);
  for (const char* key : {"seed", "from", "data", "model", "stages", "plan", "scratch", "machine"})
    tree.erase(key);
  Json settings = Json::object();
  add_settings(tree, "", settings);
  return settings;
}

// A BPE's tokenizer.json and a SentencePiece model are long: the checksum stands for them.
std::string tokenizer_name(const std::string& tokenizer) {
  if (tokenizer.empty() || tokenizer == "bytes") return tokenizer;
  return fmt::format("{} {:08x}", tokenizer.front() == '{' ? "BPE" : "SentencePiece",
                     crc32c(std::as_bytes(std::span(tokenizer.data(), tokenizer.size()))));
}

Json data_event(const schedule::DataSpec& spec, const RunData& data) {
  Json event = {{"train", spec.train}, {"validation", spec.validation}};
  if (!data.train || !data.validation) return event;
  event["train_fingerprint"] = fmt::format("{:08x}", data.train_fingerprint);
  event["validation_fingerprint"] = fmt::format("{:08x}", data.validation_fingerprint);
  event["tokenizer"] = tokenizer_name(data.tokenizer);
  return event;
}

}  // namespace

EventLog::EventLog(Path file) : file_(std::move(file)) {}

void EventLog::open() {
  const bool cut = ends_in_mid_line(file_);
  out_ = std::make_shared<OutputFile>(file_, OutputFile::Mode::append);
  if (cut) out_->append("\n");
}

bool EventLog::is_in_place() const {
  // Counts as unchanged if the system does not say.
  return names_open_file(file_, out_->descriptor()).value_or(true);
}

void EventLog::write(const Json& event) {
  if (file_.empty()) return;
  const std::scoped_lock lock(mutex_);
  const std::string line = json_text(event, -1) + "\n";
  if (!out_) {
    open();
  } else if (!is_in_place()) {
    open();
    out_->append(start_);
  }
  if (event.contains("event") && event["event"] == "start") start_ = line;
  out_->append(line);
  if (board_) board_->add(event);
}

void EventLog::sync() {
  std::shared_ptr<OutputFile> out;
  {
    const std::scoped_lock lock(mutex_);  // others may write while the disk is busy
    out = out_;
  }
  if (out) out->sync();
}

Json place_event(const char* kind, const state::Progress& p) {
  return {{"event", kind},      {"stage", p.stage}, {"step", p.step},
          {"tokens", p.tokens}, {"flops", p.flops}, {"seconds", p.seconds}};
}

Json start_event(const plan::RunPlan& plan, const Machine& machine, const RunData& data) {
  const schedule::Schedule& s = plan.schedule;
  Json event = {{"event", "start"},
                {"version", STAGEDTRAIN_VERSION},
                {"time", plan::time_now()},
                {"schedule", s.name},
                {"role", plan::role_name(plan.role)},
                {"device", machine.device},
                {"hardware", plan::device_name(machine.device)},
                {"kernels", machine.kernels},
                {"threads", machine.threads},
                {"seed", s.seed},
                {"curve", s.lr.curve},
                {"total_steps", plan.total_steps},
                {"final_model", plan::to_json(plan.final_model)},
                {"from", s.from},
                {"data", data_event(s.data, data)},
                {"settings", settings_of(s)}};
  event["predicted_by"] = plan.predicted_by;
  event["prediction"] = runlog::to_json(plan.prediction);
  event["chosen"] = plan.chosen;
  event["stages"] = Json::array();
  for (const plan::StagePlan& stage : plan.stages)
    event["stages"].push_back(stage_event(plan.schedule, stage));
  return event;
}

Json process_of(const Json& start) {
  Json process = Json::object();
  for (const char* key : {"version", "time", "device", "kernels", "threads"})
    process[key] = start.at(key);
  return process;
}

}  // namespace stagedtrain::train
