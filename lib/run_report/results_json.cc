// Writes a report as JSON.
#include <cmath>
#include <cstdint>

#include "run_report/phrases.h"
#include "run_report/report_tables.h"
#include "run_report/results.h"
#include "text/json.h"

namespace stagedtrain::report {
namespace {

// Returns whole numbers without a point, and null for unknown numbers.
Json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  if (value == std::trunc(value) && std::abs(value) < 9e15) return static_cast<std::int64_t>(value);
  return value;
}
Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

// Writes a struct's fields into a JSON object, with numbers and booleans as such.
struct ModelWriter {
  Json json = Json::object();
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo&) {
    json[key] = value;
  }
};

Json model_json(arch::ModelConfig model) {
  ModelWriter writer;
  model.fields(writer);
  return writer.json;
}

Json stage_json(const LoggedStage& stage, const StageTotals& cost) {
  return {{"name", stage.name},
          {"grow", stage.grow},
          {"model", model_json(stage.model)},
          {"params", number(stage.params)},
          {"flops_per_token", number(stage.flops_per_token)},
          {"executed_flops_per_token", number(cost.flops / cost.tokens)},
          {"planned_steps", number(stage.steps)},
          {"predicted_loss", number(stage.predicted_loss)},
          {"steps", number(cost.steps)},
          {"tokens", number(cost.tokens)},
          {"flops", number(cost.flops)},
          {"seconds", number(cost.seconds)},
          {"loss", number(cost.loss)},
          {"stderr", number(cost.se)},
          {"ended", cost.ended}};
}

Json growth_json(const LoggedGrowth& growth) {
  return {{"stage", growth.stage},
          {"operators", growth.operators},
          {"step", number(growth.at.step)},
          {"tokens", number(growth.at.tokens)},
          {"flops", number(growth.at.flops)},
          {"seconds", number(growth.at.seconds)},
          {"params_before", number(growth.params_before)},
          {"params_after", number(growth.params_after)},
          {"loss_before", number(growth.loss_before)},
          {"loss_after", number(growth.loss_after)},
          {"grow_seconds", number(growth.seconds)}};
}

Json fit_json(const runlog::Fit& fit) {
  return {{"stage", fit.stage},
          {"step", number(fit.at.step)},
          {"fit_steps", number(fit.steps)},
          {"fit_tokens", number(fit.tokens)},
          {"fit_flops", number(fit.flops)},
          {"fit_seconds", number(fit.seconds)},
          {"loss_before", number(fit.loss_before)},
          {"loss_after", number(fit.loss_after)}};
}

Json selection_json(const runlog::Selection& selection) {
  return {{"stage", selection.stage},
          {"step", number(selection.at.step)},
          {"windows", number(selection.windows)},
          {"selected", number(selection.selected)},
          {"select_passes", number(selection.passes)},
          {"select_flops", number(selection.flops)},
          {"select_seconds", number(selection.seconds)}};
}

Json transplant_json(const runlog::LoggedTransplant& transplant) {
  return {{"stage", transplant.stage},
          {"step", number(transplant.at.step)},
          {"from", transplant.from},
          {"samples", number(transplant.samples)},
          {"sensitivity_flops", number(transplant.flops)},
          {"sensitivity_seconds", number(transplant.seconds)}};
}

Json settings_json(const Run& run) {
  Json json = Json::object();
  for (const runlog::Setting& setting : run.settings) json[setting.key] = setting.value;
  return json;
}

Json samples_json(const Run& run) {
  Json json = Json::array();
  for (const runlog::Sample& sample : run.samples)
    json.push_back(
        {{"name", sample.name}, {"seed", number(sample.seed)}, {"loss", number(sample.loss)}});
  return json;
}

Json run_json(const Run& run) {
  const Place at = run.last();
  Json json{{"name", run.name},
            {"role", run.role},
            {"version", run.version},
            {"time", run.time},
            {"device", run.device},
            {"hardware", run.hardware},
            {"threads", number(run.threads)},
            {"seed", number(run.seed)},
            {"curve", run.curve},
            {"data",
             {{"train", run.train_data},
              {"validation", run.validation_data},
              {"train_fingerprint", run.train_fingerprint},
              {"validation_fingerprint", run.validation_fingerprint},
              {"tokenizer", run.tokenizer}}},
            {"settings", settings_json(run)},
            {"model", model_json(run.final_model)},
            {"params", number(run.params())},
            {"ended", run.end.has_value()},
            {"decayed", run.end && run.end->decayed},
            {"compared", run.comparable()},
            {"why_not_compared", run.why_not_comparable()},
            {"total_steps", number(run.total_steps)},
            {"step", number(at.step)},
            {"tokens", number(at.tokens)},
            {"flops", number(at.flops)},
            {"seconds", number(at.seconds)},
            {"loss", number(run.end ? run.end->loss : kUnknown)},
            {"stderr", number(run.end ? run.end->se : kUnknown)},
            {"bits_per_byte", number(run.end ? run.end->bits_per_byte : kUnknown)},
            {"prediction", runlog::to_json(run.prediction)},
            {"samples", samples_json(run)},
            {"stages", Json::array()},
            {"growths", Json::array()},
            {"fits", Json::array()},
            {"selections", Json::array()},
            {"transplants", Json::array()}};
  const std::vector<StageTotals> costs = stage_totals(run);
  for (std::size_t i = 0; i < costs.size(); ++i)
    json["stages"].push_back(stage_json(run.stages[i], costs[i]));
  for (const LoggedGrowth& growth : run.growths) json["growths"].push_back(growth_json(growth));
  for (const runlog::Fit& fit : run.fits) json["fits"].push_back(fit_json(fit));
  for (const runlog::Selection& one : run.selections)
    json["selections"].push_back(selection_json(one));
  for (const runlog::LoggedTransplant& one : run.transplants)
    json["transplants"].push_back(transplant_json(one));
  return json;
}

const char* reach_key(Reach reach) {
  return reach == Reach::inside         ? "inside"
         : reach == Reach::extrapolated ? "extrapolated"
                                        : "beyond";
}

Json names(const Report& report, const std::vector<std::size_t>& indices) {
  Json list = Json::array();
  for (const std::size_t i : indices) list.push_back(report.runs[i].name);
  return list;
}

Json saving_json(const Report& report, const Saving& saving) {
  return {{"value", number(saving.value)},
          {"stderr", number(saving.se)},
          {"reach", reach_key(saving.reach)},
          {"scratch_cost", number(saving.scratch_cost)},
          {"at_least", number(saving.at_least)},
          {"at_most", number(saving.at_most)},
          {"between", names(report, {saving.low, saving.high})}};
}

Json result_json(const Report& report, const CostResult& result) {
  Json json{{"saving", nullptr},
            {"loss_gap", nullptr},
            {"reason", result.reason},
            {"paired_by_seed", result.paired}};
  if (const auto& saving = result.saving) json["saving"] = saving_json(report, *saving);
  if (const auto& gap = result.gap)
    json["loss_gap"] = {{"value", number(gap->value)},
                        {"stderr", number(gap->se)},
                        {"reach", reach_key(gap->reach)},
                        {"scratch_loss", number(gap->scratch_loss)},
                        {"between", names(report, {gap->low, gap->high})}};
  return json;
}

Json free_size_json(const Report& report, const std::optional<FreeSize>& found) {
  if (!found) return nullptr;
  return {{"best", found->size},
          {"sizes", found->sizes},
          {"undecided", found->undecided},
          {"saving", saving_json(report, found->saving)},
          {"paired_by_seed", found->paired}};
}

Json comparison_json(const Report& report, const Comparison& comparison) {
  Json savings = Json::object();
  for (const CostResult& result : comparison.results)
    savings[cost_key(result.kind)] = result_json(report, result);
  return {{"staged", report.runs[comparison.staged].name},
          {"scratch", names(report, comparison.ends)},
          {"dominated", names(report, comparison.dominated)},
          {"verdict", verdict(report, comparison)},
          {"savings", savings},
          {"free_size", free_size_json(report, comparison.free_size)},
          {"notes", comparison.notes}};
}

}  // namespace

Json to_json(const Report& report) {
  Json json{{"runs", Json::array()}, {"comparisons", Json::array()}, {"problems", report.problems}};
  for (const Run& run : report.runs) json["runs"].push_back(run_json(run));
  for (const Comparison& comparison : report.comparisons)
    json["comparisons"].push_back(comparison_json(report, comparison));
  return json;
}

}  // namespace stagedtrain::report
