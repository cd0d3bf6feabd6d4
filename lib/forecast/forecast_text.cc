// Prints a forecast as tables with its assumptions, and as JSON.
#include <algorithm>
#include <cmath>

#include "forecast/forecast.h"
#include "plan/step_sums.h"
#include "scaling/half_saving.h"
#include "text/json.h"
#include "text/percent.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

std::string range_text(const LossRange& loss) {
  if (!loss.range) return "";
  return fmt::format("{:.4f} to {:.4f}", (*loss.range)[0], (*loss.range)[1]);
}

std::string losses_text(const RunPlan& plan, const Forecast& f) {
  const bool ranges = f.stages[0].end.range.has_value();
  std::vector<std::vector<std::string>> rows = {{"losses", "resumes at", "first", "last"}};
  if (ranges) rows[0].insert(rows[0].end(), {"80% of first", "80% of last"});
  rows[0].push_back("slope");
  for (std::size_t i = 0; i < f.stages.size(); ++i) {
    const StageForecast& s = f.stages[i];
    std::vector<std::string> row = {plan.stages[i].name,
                                    i ? short_count(s.resume_tokens) + " tokens" : "",
                                    s.begin ? fmt::format("{:.4f}", s.begin->loss) : "fresh",
                                    fmt::format("{:.4f}", s.end.loss)};
    if (ranges) row.insert(row.end(), {s.begin ? range_text(*s.begin) : "", range_text(s.end)});
    row.push_back(fmt::format("{:.4f}", s.end_slope));
    rows.push_back(row);
  }
  return text_table(rows, 1, "");
}

}  // namespace

std::string savings_text(const Savings& s) {
  std::string text =
      fmt::format("FLOPs {}, causal {}, 6 N D {}, non-emb. {}", percent(s.flops),
                  percent(s.causal_flops), percent(s.parameters), percent(s.non_embedding));
  if (s.seconds) text += fmt::format(", training time {}", percent(*s.seconds));
  return text;
}

namespace {

// Compares with a scratch run in both directions: at the same loss, and for the same FLOPs.
std::string against_scratch(const RunPlan& plan, const Forecast& f) {
  const double end = f.stages.back().end.loss;
  const double per_token = flops_per_token(plan.schedule, plan.stages.back().model);
  return fmt::format(
      "  {}: loss {:.4f}, which {} tokens ({} FLOPs) from scratch reach\n"
      "    saved at that loss: {}\n"
      "    from scratch for the same FLOPs: loss {:.4f}, {:.4f} {} than staged\n",
      scaling::assumption_name(f.assumption), end, short_count(f.scratch_tokens),
      short_count(f.scratch_tokens * per_token), savings_text(f.savings), f.scratch_loss,
      std::abs(f.scratch_loss - end), f.scratch_loss >= end ? "worse" : "better");
}

Json range_json(const LossRange& loss) {
  Json json = {{"loss", loss.loss}, {"low", nullptr}, {"high", nullptr}};
  if (loss.range) {
    json["low"] = (*loss.range)[0];
    json["high"] = (*loss.range)[1];
  }
  return json;
}

// Returns one end of the interval; null if there is no interval, or if the end is infinite.
Json end_of(const std::optional<std::array<double, 2>>& range, std::size_t i) {
  return range && std::isfinite((*range)[i]) ? Json((*range)[i]) : Json(nullptr);
}

Json to_end_json(const std::optional<CostToEnd>& cost) {
  if (!cost) return nullptr;
  return {{"flops_low", end_of(cost->flops, 0)},     {"flops_high", end_of(cost->flops, 1)},
          {"seconds_low", end_of(cost->seconds, 0)}, {"seconds_high", end_of(cost->seconds, 1)},
          {"money_low", end_of(cost->money, 0)},     {"money_high", end_of(cost->money, 1)}};
}

Json forecast_json(const RunPlan& plan, const Forecast& f) {
  const Savings& s = f.savings;
  Json json = {{"assumption", scaling::assumption_name(f.assumption)},
               {"end_loss", f.stages.back().end.loss},
               {"scratch_tokens", f.scratch_tokens},
               {"scratch_loss_for_same_flops", f.scratch_loss},
               {"saving_flops", s.flops},
               {"saving_flops_low", f.flops_range ? Json((*f.flops_range)[0]) : Json(nullptr)},
               {"saving_flops_high", f.flops_range ? Json((*f.flops_range)[1]) : Json(nullptr)},
               {"saving_causal_flops", s.causal_flops},
               {"saving_parameters", s.parameters},
               {"saving_non_embedding", s.non_embedding},
               {"saving_seconds", s.seconds ? Json(*s.seconds) : Json(nullptr)},
               {"saving_seconds_low", end_of(f.seconds_range, 0)},
               {"saving_seconds_high", end_of(f.seconds_range, 1)},
               {"cost_to_end_loss", to_end_json(f.to_end)}};
  json["stages"] = Json::array();
  for (std::size_t i = 0; i < f.stages.size(); ++i) {
    const StageForecast& stage = f.stages[i];
    json["stages"].push_back({{"name", plan.stages[i].name},
                              {"resume_tokens", stage.resume_tokens},
                              {"begin", stage.begin ? range_json(*stage.begin) : Json(nullptr)},
                              {"end", range_json(stage.end)},
                              {"end_slope", stage.end_slope}});
  }
  return json;
}

Json window_json(const GrowthWindow& w) {
  return {{"stage", w.stage},
          {"planned_step", w.planned},
          {"pays", w.pays},
          {"best_step", w.best},
          {"earliest_step", w.earliest},
          {"latest_step", w.latest},
          {"best_step_low", end_of(w.best_range, 0)},
          {"best_step_high", end_of(w.best_range, 1)}};
}

// Says what one growth would need to save half of the FLOPs (scaling/half_saving.h); "" unless the
// plan has two stages.
std::string half_saving_text(const RunPlan& plan) {
  if (plan.stages.size() != 2) return "";
  const StagePlan &small = plan.stages[0], &final_stage = plan.stages[1];
  const double ratio = flops_per_token(plan.schedule, small.model) /
                       flops_per_token(plan.schedule, final_stage.model);
  const std::string cost =
      fmt::format("a token costs {:.0f}% of what it costs in {}", 100 * ratio, final_stage.name);
  const auto share = scaling::share_for_half(ratio, 1);
  if (!share)
    return fmt::format("no time of growth from {} saves half of the FLOPs: there {}", small.name,
                       cost);
  return fmt::format(
      "to save half of the FLOPs, {} must read at least {:.0f}% of the tokens (now {:.0f}%), if "
      "the "
      "larger model keeps all of that training (rho = 1); a larger rho needs a larger share, and "
      "from "
      "{:.2f} on no share is enough: in {} {}",
      small.name, 100 * *share,
      100 * static_cast<double>(small.tokens) / static_cast<double>(plan.tokens),
      scaling::most_rho_for_half(ratio), small.name, cost);
}

}  // namespace

std::string to_text(const GrowthWindow& w) {
  if (!w.pays) return wrapped(fmt::format("growth into {}: it saves nothing by this law", w.stage));
  const char* verdict = w.planned < w.earliest ? ", which is early"
                        : w.planned > w.latest ? ", which is late"
                                               : "";
  const auto step = [](double at) { return grouped_number(std::max(0.0, at)); };
  return wrapped(fmt::format(
      "growth into {}: planned after step {}{}; the best step is {}{}, and {} to {} keep 95% of "
      "what the "
      "growth saves (floor)",
      w.stage, step(w.planned), verdict, step(w.best),
      w.best_range
          ? fmt::format(" (80%: {} to {})", step((*w.best_range)[0]), step((*w.best_range)[1]))
          : "",
      step(w.earliest), step(w.latest)));
}

std::string assumptions_text() {
  return "  " +
         wrapped(fmt::format(
             "floor: assumes that a grown model continues where its own curve has the same "
             "loss. It is not a bound: {}. ceiling: assumes that a grown model soon catches up "
             "with a run from scratch. A measured run shows which is closer (stagedtrain "
             "report).",
             kFloorRecord));
}

std::string to_text(const RunPlan& plan, const Outlook& o) {
  if (!o.nothing.empty()) return wrapped("losses: no forecast, because " + o.nothing);
  const bool staged = plan.stages.size() > 1;
  std::string text = losses_text(plan, o.forecasts[0]);
  std::string about = fmt::format("law {}: {}; it predicts losses {}", o.law, o.source, o.end);
  if (o.forecasts[0].stages[0].end.range)
    about +=
        ". An 80% interval covers the noise of runs, the uncertainty of the fit and, beyond the "
        "largest size, how far laws of the smaller sizes missed larger ones. It does not cover "
        "errors in the form of the law";
  else
    about +=
        ". Published constants have no interval; only your own runs show how far off they are here";
  about += ". The slope is d ln loss / d ln tokens at the end of a stage";
  if (staged)
    about += fmt::format(". The losses are those under {}",
                         scaling::assumption_name(o.forecasts[0].assumption));
  text += wrapped(about);
  if (o.forecasts[0].to_end)
    text += wrapped("cost until this end loss is reached, by a longer or shorter last stage: " +
                    to_text(*o.forecasts[0].to_end));
  for (const GrowthWindow& window : o.windows) text += to_text(window);
  if (const std::string half = half_saving_text(plan); !half.empty()) text += wrapped(half);
  if (staged) text += "\nagainst the final model from scratch\n";
  if (staged)
    for (const Forecast& f : o.forecasts) text += against_scratch(plan, f);
  if (staged) text += assumptions_text();
  return text;
}

Json to_json(const RunPlan& plan, const Outlook& o) {
  Json json = {{"law", o.law},
               {"law_source", o.source},
               {"law_end", o.end},
               {"nothing", o.nothing.empty() ? Json(nullptr) : Json(o.nothing)},
               {"warnings", o.warnings}};
  json["growths"] = Json::array();
  for (const GrowthWindow& window : o.windows) json["growths"].push_back(window_json(window));
  json["forecasts"] = Json::array();
  for (const Forecast& f : o.forecasts) json["forecasts"].push_back(forecast_json(plan, f));
  return json;
}

}  // namespace stagedtrain::plan
