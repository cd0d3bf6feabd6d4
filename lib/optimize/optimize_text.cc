// Prints an optimized plan as tables with its assumptions, and as JSON.
#include "forecast/answer.h"
#include "optimize/optimize.h"
#include "text/json.h"
#include "text/percent.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

constexpr double kNotable = 5e-4;  // smaller differences do not show in 0.1%

std::string loss_text(double loss) { return fmt::format("{:.4f}", loss); }

std::string stages_text(const Optimum& o) {
  std::vector<std::vector<std::string>> rows = {{"stage", "params", "non-emb.", "FLOPs/tok",
                                                 "steps", "tokens", "FLOPs", "first loss", "last",
                                                 "slope"}};
  const auto count = [](std::int64_t n) { return short_count(static_cast<double>(n)); };
  std::int64_t steps = 0;
  double tokens = 0;
  for (const OptimizedStage& stage : o.stages) {
    rows.push_back({stage.name, count(stage.size.params.total),
                    count(stage.size.params.non_embedding), short_count(stage.size.flops_per_token),
                    grouped(stage.steps), short_count(stage.tokens), short_count(stage.flops),
                    stage.begin_loss ? loss_text(*stage.begin_loss) : "fresh",
                    loss_text(stage.end_loss), fmt::format("{:.4f}", stage.end_slope)});
    steps += stage.steps;
    tokens += stage.tokens;
  }
  rows.push_back(
      {"total", "", "", "", grouped(steps), short_count(tokens), short_count(o.flops), "", "", ""});
  rows.push_back({"scratch", "", "", "", "", short_count(o.scratch_tokens),
                  short_count(o.scratch_flops), "fresh", loss_text(o.end_loss), ""});
  return text_table(rows, 1, "");
}

// Says what the last loss is after the decay, because the search compares losses at the peak rate.
std::string decay_text(const Optimum& o) {
  if (o.full.outlook.forecasts.empty()) return "";
  const double end = o.full.outlook.forecasts[0].stages.back().end.loss;
  if (!(o.end_loss - end > kNotable * end)) return "";
  return fmt::format(
      "  These losses, and those below, are at the peak rate. The decay brings the last one to "
      "{}.\n",
      loss_text(end));
}

std::string growths_text(const Optimum& o) {
  std::string text;
  for (std::size_t i = 0; i + 1 < o.stages.size(); ++i) {
    const OptimizedStage& stage = o.stages[i];
    text += fmt::format("grow into {} after step {}", o.stages[i + 1].name,
                        grouped(stage.first_step + stage.steps));
    if (stage.plateau)
      text += fmt::format("; steps {} to {} keep 95% of what it saves",
                          grouped((*stage.plateau)[0]), grouped((*stage.plateau)[1]));
    text += "\n";
  }
  return text;
}

const char* unit_name(CostUnit unit) {
  constexpr const char* kNames[] = {"FLOPs", "seconds", "money"};
  return kNames[static_cast<int>(unit)];
}

std::string savings_text(const Optimum& o) {
  const std::string end = fmt::format("at a loss of {}, which {} tokens from scratch reach",
                                      loss_text(o.end_loss), short_count(o.scratch_tokens));
  const std::string unit = unit_name(o.options.unit);
  const auto line = [](const char* name, double part, const char* says) {
    return fmt::format("  {:<20} {:>6}   {}\n", name, percent(part), says);
  };
  std::string text = fmt::format("this plan saves, {}:\n  {}; {}\n", end, savings_text(o.planned),
                                 scaling::assumption_name(o.options.transfer.assumption));
  text += fmt::format("between, in {} {}:\n", unit, end);
  text += line("floor (loss-state)", o.floor,
               "if a grown model continues where its own curve has that loss");
  text += line("ceiling (mixing)", o.ceiling,
               "this plan, if a grown model soon catches up with a run from scratch");
  text += line("more stages", o.all_sizes, "the floor with as many stages as there are sizes");
  if (o.endless)
    text += line("endless stages", *o.endless,
                 "the floor, if any size were possible and cost as its parameters");
  if (o.stages.size() > 1 && o.warmup_steps_saved > 0)
    text += fmt::format(
        "not counted: the small model does the initial warm-up; without a re-warm-up that saves "
        "{:.0f} more\n"
        "steps of the final model\n",
        o.warmup_steps_saved);
  return text;
}

std::string not_considered_text(const Optimum& o) {
  std::string text;
  for (const std::string& line : o.not_considered) text += stagedtrain::wrapped(line);
  return text;
}

Json stage_json(const OptimizedStage& stage) {
  Json json = {{"name", stage.name},
               {"model", to_json(stage.size.model)},
               {"params", stage.size.params.total},
               {"non_embedding", stage.size.params.non_embedding},
               {"flops_per_token", stage.size.flops_per_token},
               {"first_step", stage.first_step},
               {"steps", stage.steps},
               {"tokens", stage.tokens},
               {"flops", stage.flops},
               {"resume_tokens", stage.resume_tokens},
               {"lost_tokens", stage.lost_tokens},
               {"begin_loss", stage.begin_loss ? Json(*stage.begin_loss) : Json(nullptr)},
               {"end_loss", stage.end_loss},
               {"end_slope", stage.end_slope},
               {"grow", stage.grow.kind == Tree::Kind::none ? "" : to_yaml(stage.grow)},
               {"plateau_steps", nullptr}};
  if (stage.plateau) json["plateau_steps"] = {(*stage.plateau)[0], (*stage.plateau)[1]};
  return json;
}

}  // namespace

std::string short_text(const Optimum& o) {
  std::string more = o.all_sizes > o.floor + kNotable
                         ? "More stages would raise the floor to " + percent(o.all_sizes)
                         : "More stages would not save more";
  if (o.endless && *o.endless > std::max(o.floor, o.all_sizes) + kNotable)
    more += fmt::format("; the limit, if models of every size were possible, is {}",
                        percent(*o.endless));
  return short_text(o.full, o.warnings,
                    "\n" + stagedtrain::wrapped(more + ".") + not_considered_text(o));
}

std::string to_text(const Optimum& o) {
  const auto labelled = [](const std::string& line) {
    return stagedtrain::wrapped(line, 100, "            ");
  };
  std::string text = labelled(fmt::format("law         {}: {}", o.law.name, o.law.source));
  text += labelled(
      fmt::format("losses      {}, fitted to models of {} to {} parameters; {}", o.law.end,
                  short_count(o.law.least_parameters), short_count(o.law.most_parameters),
                  o.law.samples.empty() ? "published, so without intervals" : "intervals below"));
  text +=
      fmt::format("assumption  {}\n\n", scaling::assumption_name(o.options.transfer.assumption));
  text += stages_text(o) + "  The slope is d ln loss / d ln tokens at the end of a stage.\n" +
          decay_text(o) + "\n" + growths_text(o) + "\n" + savings_text(o) + "\n";
  text += to_text(o.full.plan, o.full.cost);
  if (!o.law.samples.empty()) text += "\n" + to_text(o.full.plan, o.full.outlook);
  if (!o.not_considered.empty()) text += "\n" + not_considered_text(o);
  for (const std::string& warning : o.warnings) text += warning_text(warning);
  return text;
}

Json to_json(const Optimum& o) {
  Json json = {{"law", o.law.name},
               {"law_source", o.law.source},
               {"assumption", scaling::assumption_name(o.options.transfer.assumption)},
               {"end_loss", o.end_loss},
               {"scratch_tokens", o.scratch_tokens},
               {"scratch_flops", o.scratch_flops},
               {"flops", o.flops},
               {"saving_flops", o.planned.flops},
               {"saving_params", o.planned.parameters},
               {"saving_non_embedding", o.planned.non_embedding},
               {"saving_causal_flops", o.planned.causal_flops},
               {"saving_seconds", o.planned.seconds ? Json(*o.planned.seconds) : Json(nullptr)},
               {"unit", unit_name(o.options.unit)},
               {"floor_loss_state", o.floor},
               {"ceiling_mixing", o.ceiling},
               {"floor_all_sizes", o.all_sizes},
               {"floor_endless", o.endless ? Json(*o.endless) : Json(nullptr)},
               {"warmup_steps_saved", o.warmup_steps_saved},
               {"tokens", o.tokens},
               {"warnings", o.warnings},
               {"not_considered", o.not_considered}};
  json["stages"] = Json::array();
  for (const OptimizedStage& stage : o.stages) json["stages"].push_back(stage_json(stage));
  json["plan"] = to_json(o.full);
  return json;
}

}  // namespace stagedtrain::plan
