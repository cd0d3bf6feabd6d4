// An optimised plan as a table with its assumptions in words, and as JSON.
#include "base/text.h"
#include "plan/optimize.h"
#include "plan/text_table.h"

namespace stagedtrain::plan {
namespace {

std::string percent(double part) { return fmt::format("{:.1f}%", 100 * part); }
std::string loss_text(double loss) { return fmt::format("{:.4f}", loss); }

std::string stages_text(const Optimum& o) {
  std::vector<std::vector<std::string>> rows = {{"stage", "params", "non-emb.", "FLOPs/tok",
                                                 "steps", "tokens", "FLOPs", "loss from", "to",
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

std::string growths_text(const Optimum& o) {
  std::string text;
  for (std::size_t i = 0; i + 1 < o.stages.size(); ++i) {
    const OptimizedStage& stage = o.stages[i];
    text += fmt::format("grow into {} after step {}", o.stages[i + 1].name,
                        grouped(stage.first_step + stage.steps));
    if (stage.plateau)
      text += fmt::format("; anywhere in {} to {} keeps 95% of what it saves",
                          grouped((*stage.plateau)[0]), grouped((*stage.plateau)[1]));
    text += "\n";
  }
  return text;
}

std::string savings_text(const Optimum& o) {
  const std::string end = fmt::format("at a loss of {}, which {} tokens from scratch come to",
                                      loss_text(o.end_loss), short_count(o.scratch_tokens));
  std::string text = fmt::format(
      "this plan saves, {}:\n  {} of FLOPs, {} counted as tokens x parameters, {} without "
      "embeddings; {}\n",
      end, percent(o.planned.flops), percent(o.planned.params), percent(o.planned.non_embedding),
      law::assumption_name(o.assumption));
  text += fmt::format("between, in FLOPs {}:\n", end);
  text += fmt::format(
      "  {:<20} {:>6}   a grown model stands where its own curve has the same "
      "loss\n",
      "floor (loss-state)", percent(o.floor));
  text += fmt::format(
      "  {:<20} {:>6}   a grown model soon stands where it would from scratch; one "
      "late jump\n",
      "ceiling (mixing)", percent(o.ceiling));
  return text + fmt::format("  {:<20} {:>6}   the floor with as many stages as there are sizes\n",
                            "more stages", percent(o.all_sizes));
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
               {"begin_loss", stage.begin_loss ? Json(*stage.begin_loss) : Json(nullptr)},
               {"end_loss", stage.end_loss},
               {"end_slope", stage.end_slope},
               {"grow", stage.grow.kind == Tree::Kind::none ? "" : to_yaml(stage.grow)},
               {"plateau_steps", nullptr}};
  if (stage.plateau) json["plateau_steps"] = {(*stage.plateau)[0], (*stage.plateau)[1]};
  return json;
}

}  // namespace

std::string to_text(const Optimum& o) {
  std::string text =
      fmt::format("law         {}: {}\nits losses  {}, of {} to {} parameters\nassumption  {}\n\n",
                  o.law.name, o.law.source, o.law.end, short_count(o.law.least_parameters),
                  short_count(o.law.most_parameters), law::assumption_name(o.assumption));
  text += stages_text(o) + "\n" + growths_text(o) + "\n" + savings_text(o);
  for (const std::string& warning : o.warnings) text += "\nwarning: " + warning + "\n";
  return text;
}

Json to_json(const Optimum& o) {
  Json json = {{"law", o.law.name},
               {"law_source", o.law.source},
               {"assumption", law::assumption_name(o.assumption)},
               {"end_loss", o.end_loss},
               {"scratch_tokens", o.scratch_tokens},
               {"scratch_flops", o.scratch_flops},
               {"flops", o.flops},
               {"saving_flops", o.planned.flops},
               {"saving_params", o.planned.params},
               {"saving_non_embedding", o.planned.non_embedding},
               {"floor_loss_state", o.floor},
               {"ceiling_mixing", o.ceiling},
               {"floor_all_sizes", o.all_sizes},
               {"warnings", o.warnings}};
  json["stages"] = Json::array();
  for (const OptimizedStage& stage : o.stages) json["stages"].push_back(stage_json(stage));
  return json;
}

}  // namespace stagedtrain::plan
