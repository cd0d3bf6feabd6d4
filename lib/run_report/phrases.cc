// Writes the report's sentences.
#include "run_report/phrases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "compare/axes.h"
#include "compare/seeds.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

constexpr const char* kUnknownText = "n/a";
constexpr const char* kRunScratch =
    "Train the final model from scratch at two or more budgets (stagedtrain train SCHEDULE "
    "--scratch; "
    "see stagedtrain train --help) and name that folder too.";

std::string subject(const Report& report, const Comparison& comparison) {
  return report.comparisons.size() == 1 ? std::string("The staged run")
                                        : "The staged run " + report.runs[comparison.staged].label;
}

// Returns, for instance, "31% fewer FLOPs" for a saving of 0.31.
std::string amount_text(double share, CostKind kind, double se = 0) {
  const std::string less = kind == CostKind::seconds ? "less" : "fewer";
  const double percent = 100 * std::abs(share);
  const int digits = percent < 9.95 && !(se > 0.005) ? 1 : 0;
  return fmt::format("{:.{}f}% {} {}", percent, digits, share >= 0 ? less : "more",
                     cost_name(kind));
}

std::string bound_text(const Saving& saving, CostKind kind) {
  if (saving.at_least)
    return (*saving.at_least >= 0 ? "at least " : "at most ") + amount_text(*saving.at_least, kind);
  return (*saving.at_most >= 0 ? "at most " : "at least ") + amount_text(*saving.at_most, kind);
}

// Returns the scratch ends on both sides of the interpolation: "budget-1500 and budget-2100".
std::string between(const Report& report, std::size_t low, std::size_t high) {
  return report.runs[low].label + " and " + report.runs[high].label;
}

std::string why_nothing(const Report& report, const Comparison& comparison) {
  const CostResult& flops = comparison[CostKind::flops];
  std::string text =
      fmt::format("{}: no saving can be stated: {}.", subject(report, comparison), flops.reason);
  const Run& staged = report.runs[comparison.staged];
  // If scratch runs were left out, the notes say why, and more of them would not help.
  const bool left_out = std::ranges::any_of(
      comparison.notes, [](const std::string& note) { return note.starts_with("Not compared: "); });
  if (staged.comparable() && left_out)
    return text + " The notes say which runs were left out, and why.";
  if (staged.comparable()) return text + " " + kRunScratch;
  return text +
         " Run it to the end, with a learning-rate curve that decays (wsd, cosine or linear).";
}

// `what` names the difference, as the beginning of a sentence.
std::string insignificance(const Saving& saving, const char* what) {
  if (saving.reach == Reach::beyond) return "";
  if (!std::isfinite(saving.se))
    return " Its standard error is unknown, so the difference may be chance.";
  if (std::abs(saving.value) >= 2 * saving.se) return "";
  return fmt::format(" {} is within twice its standard error: it may be chance.", what);
}

// Says what is saved against the best of other sizes, or that this is not known.
std::string free_size_text(const Comparison& comparison) {
  if (!comparison.free_size)
    return " Other sizes were not trained (train --frontier): against the best of them it may save "
           "less.";
  const FreeSize& free = *comparison.free_size;
  std::string text =
      free.sizes.size() < 2 ? " Against other sizes nothing can be said yet."
      : free.is_final_model
          ? fmt::format(
                " Of the sizes {} its own is the best from scratch, so it saves as much "
                "against all.",
                join(free.sizes, ", "))
          : fmt::format(" Against the best of the sizes {} from scratch, {}, it took {}.",
                        join(free.sizes, ", "), free.size,
                        saving_text({.kind = CostKind::flops, .saving = free.saving}));
  if (!free.is_final_model) text += insignificance(free.saving, "That difference");
  if (!free.undecided.empty())
    text +=
        fmt::format(" Not decided for {}: larger budgets are needed.", join(free.undecided, ", "));
  return text;
}

std::string ends_sentence(const Report& report, const Comparison& comparison) {
  std::vector<std::string> costs;
  for (std::size_t i : comparison.ends) costs.push_back(flops_text(report.runs[i].end->at.flops));
  return fmt::format(
      "Only ends at which the learning rate has decayed fully are compared, because a loss before "
      "that says little about where the run will end. The model was trained from scratch at {} "
      "budgets ({}).",
      costs.size(), join(costs, ", "));
}

std::string interpolation_sentence(const Report& report, const Saving& saving) {
  const std::string ends = between(report, saving.low, saving.high);
  if (saving.reach == Reach::inside)
    return fmt::format(
        "The compute that training from scratch needs for the same loss is interpolated linearly "
        "in log FLOPs between {}.",
        ends);
  const char* side = saving.at_least ? "below" : "above";
  if (saving.reach == Reach::extrapolated)
    return fmt::format(
        "The staged loss lies {} the losses of all scratch runs. The compute that training from "
        "scratch needs for it is extrapolated from {}, linearly in log FLOPs. Without "
        "extrapolation, the staged run took {}. A further scratch budget would settle it.",
        side, ends, bound_text(saving, CostKind::flops));
  return fmt::format(
      "The staged loss lies far {} the losses of all scratch runs: a line through {} would reach "
      "it "
      "more than {} times their cost away, too far to extrapolate. The bound given needs no "
      "extrapolation. Train from scratch at a {} budget for a number.",
      side, ends, format_number(kExtrapolation), saving.at_least ? "larger" : "smaller");
}

std::string error_sentence(const Report& report, const Comparison& comparison) {
  const Run& staged = report.runs[comparison.staged];
  if (comparison[CostKind::flops].paired && !staged.samples.empty())
    return "± is one standard error over seeds; that of a saving is of the savings of single "
           "seeds, each against scratch runs of the same seed.";
  if (!staged.samples.empty())
    return "± is one standard error of the mean over seeds, taken as independent for the staged "
           "and "
           "the scratch runs. It holds the noise of the validation text only where all seeds share "
           "it.";
  const double windows = staged.evaluations.empty() ? kUnknown : staged.evaluations.back().windows;
  if (!std::isfinite(staged.end->se))
    return fmt::format(
        "The standard error of the validation loss is unknown{}. Raise evaluate.tokens, so that "
        "two "
        "or more windows are scored.",
        windows < 2 ? ", because only one window of text was scored" : "");
  return fmt::format(
      "± is one standard error of the validation loss{}, taken as independent for each run. All "
      "runs are scored on the same text, so most of that error is common to them and cancels: ± is "
      "an upper bound.",
      std::isfinite(windows) ? fmt::format(" over {} windows of text", whole_text(windows)) : "");
}

std::string seed_sentence(const Report& report, const Comparison& comparison) {
  const Run& staged = report.runs[comparison.staged];
  if (!staged.samples.empty())
    return fmt::format(
        "Losses and costs of runs that differ in their seed alone are averaged ({}).",
        seeds_text(staged));
  return fmt::format(
      "One seed{}: ± does not include how much another seed would change. Claims about a method "
      "need "
      "three or more.",
      staged.seed ? " (" + format_number(*staged.seed) + ")" : "");
}

std::string size_sentence(const Report& report, const Comparison& comparison) {
  const Run& staged = report.runs[comparison.staged];
  std::string text = fmt::format("Tokens per parameter of the final model: staged {}",
                                 tokens_per_parameter(staged));
  if (!comparison.ends.empty())
    text += fmt::format(", scratch {} to {}",
                        tokens_per_parameter(report.runs[comparison.ends.front()]),
                        tokens_per_parameter(report.runs[comparison.ends.back()]));
  return text + ". Savings at few tokens per parameter may not hold at 20 and more.";
}

std::string clock_sentence(const Report& report, const Comparison& comparison) {
  const Run& staged = report.runs[comparison.staged];
  double growing = 0;
  for (const LoggedGrowth& growth : staged.growths)
    if (std::isfinite(growth.seconds)) growing += growth.seconds;
  std::string text = fmt::format(
      "Wall-clock time counts training steps on {}. It leaves out evaluation, checkpoints and "
      "growth{}.",
      machine_text(staged), staged.growths.empty() ? "" : " (" + seconds_text(growing) + ")");
  if (const std::string& reason = comparison[CostKind::seconds].reason; !reason.empty())
    text += " It is not compared: " + reason + ".";
  return text;
}

}  // namespace

std::string count_text(double value) {
  if (!std::isfinite(value)) return kUnknownText;
  const std::string text = short_count(value);
  if (text.back() >= '0' && text.back() <= '9') return text;
  const double mantissa = std::stod(text);  // with all three digits, so that columns line up
  const int digits = mantissa >= 100 ? 0 : mantissa >= 10 ? 1 : 2;
  return fmt::format("{:.{}f}{}", mantissa, digits, text.back());
}
std::string flops_text(double value) {
  if (!std::isfinite(value)) return kUnknownText;
  const FlopsUnit unit = flops_unit(std::abs(value) * 1.0005);  // 999.9 MFLOPs are 1.00 GFLOPs
  const double size = value / unit.size;
  const int digits = unit.size == 1 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f} {}", size, digits, unit.name);
}
std::string whole_text(double value) {
  if (!std::isfinite(value) || std::abs(value) > 9e15) return count_text(value);
  return grouped(static_cast<std::int64_t>(std::llround(value)));
}
std::string seconds_text(double seconds) {
  if (!std::isfinite(seconds)) return kUnknownText;
  return seconds < 1 ? fmt::format("{:.2f}s", seconds) : short_seconds(seconds);
}
std::string decimal_text(double value, int digits) {
  return std::isfinite(value) ? fmt::format("{:.{}f}", value, digits) : kUnknownText;
}
std::string loss_text(double loss, double se) {
  if (!std::isfinite(loss) || !std::isfinite(se)) return decimal_text(loss, 4);
  return fmt::format("{:.4f} ± {:.4f}", loss, se);
}
std::string percent_text(double share, double se) {
  if (!std::isfinite(share)) return kUnknownText;
  const std::string error = std::isfinite(se) ? fmt::format(" ± {:.1f}", 100 * se) : "";
  return fmt::format("{:.1f}%{}", 100 * share, error);
}

std::string tokens_per_parameter(const Run& run) {
  return decimal_text(run.last().tokens / run.params(), 1);
}

std::string saving_text(const CostResult& result) {
  const Saving& saving = *result.saving;
  if (saving.reach == Reach::beyond) return bound_text(saving, result.kind);
  const std::string words = amount_text(saving.value, result.kind, saving.se);
  return saving.reach == Reach::inside ? words : "about " + words + " (extrapolated)";
}

std::string gap_text(const LossGap& gap) {
  if (gap.reach == Reach::beyond) return "";
  const std::string words =
      fmt::format("{:.3f} {}", std::abs(gap.value), gap.value >= 0 ? "lower" : "higher");
  return gap.reach == Reach::inside ? words : "about " + words + " (extrapolated)";
}

std::string growth_text(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  std::vector<std::string> parts;
  if (from.layers != to.layers)
    parts.push_back(fmt::format("{} → {} layers", from.layers, to.layers));
  const auto part = [&](const char* name, std::int64_t before, std::int64_t after) {
    if (before != after) parts.push_back(fmt::format("{} {} → {}", name, before, after));
  };
  part("width", from.width, to.width);
  if (from.width == to.width) {  // otherwise they follow from the width
    part("heads", from.heads, to.heads);
    part("ffn", from.ffn, to.ffn);
  }
  part("experts", from.experts, to.experts);
  part("context", from.context, to.context);
  return parts.empty() ? "same size" : join(parts, ", ");
}

std::string growth_change(const Run& run, const LoggedGrowth& growth) {
  for (std::size_t i = 1; i < run.stages.size(); ++i)
    if (run.stages[i].name == growth.stage)
      return growth_text(run.stages[i - 1].model, run.stages[i].model);
  return "grown";
}

std::string machine_text(const Run& run) {
  std::string text = run.device.empty() ? "an unnamed device" : run.device;
  if (!run.hardware.empty() && run.hardware != run.device) text += " (" + run.hardware + ")";
  if (run.threads) text += fmt::format(", {}", counted(std::llround(*run.threads), "thread"));
  return text;
}

std::string verdict(const Report& report, const Comparison& comparison) {
  const CostResult &flops = comparison[CostKind::flops], &seconds = comparison[CostKind::seconds];
  if (!flops.saving) return why_nothing(report, comparison);
  const Run& staged = report.runs[comparison.staged];
  const bool is_named = report.comparisons.size() > 1;  // with its seeds
  std::string text = fmt::format(
      "{} reached {:.3f} nats per token{} with {}", subject(report, comparison), staged.end->loss,
      is_named || staged.samples.empty() ? "" : " (mean of " + seeds_text(staged) + ")",
      saving_text(flops));
  if (seconds.saving) text += " and " + saving_text(seconds);
  text += " than the same model trained from scratch";
  if (flops.gap)
    if (const std::string words = gap_text(*flops.gap); !words.empty())
      text += "; at equal FLOPs its loss is " + words;
  return text + "." + insignificance(*flops.saving, "The difference in FLOPs") +
         free_size_text(comparison);
}

std::string empty_verdict(const Report& report) {
  return fmt::format(
      "{}, no staged run: there is nothing to compare yet. Train the staged schedule "
      "(stagedtrain train SCHEDULE) and name its folder too.",
      counted(std::ssize(report.runs), "scratch run"));
}

std::string unfinished_notice(const Report& report) {
  std::vector<std::string> names;
  for (const Run& run : report.runs)
    if (!run.end) names.push_back(run.label);
  if (names.empty()) return "";
  return fmt::format("Not ended yet: {}. Run report again when {} ended.", join(names, ", "),
                     names.size() == 1 ? "it has" : "they have");
}

std::vector<std::string> fine_print(const Report& report, const Comparison& comparison) {
  std::vector<std::string> sentences;
  if (const auto& saving = comparison[CostKind::flops].saving) {
    sentences.push_back(ends_sentence(report, comparison));
    sentences.push_back(interpolation_sentence(report, *saving));
    sentences.push_back(error_sentence(report, comparison));
    sentences.push_back(seed_sentence(report, comparison));
  }
  sentences.push_back(size_sentence(report, comparison));
  sentences.push_back(
      "FLOPs count every matrix product forward and backward, the output head and full (unmasked) "
      "attention included, and Muon's own; embedding look-ups, norms and AdamW are not counted. "
      "K, M, G, T, P and E stand for 10³, 10⁶, 10⁹, 10¹², 10¹⁵ and 10¹⁸: 1 TFLOPs is 10¹² FLOPs, "
      "an amount of work, not a rate.");
  sentences.push_back(clock_sentence(report, comparison));
  for (const std::string& note : comparison.notes) sentences.push_back(note);
  return sentences;
}

std::string policies_text(const Run& run) {
  std::vector<std::string> parts;
  for (const runlog::LoggedStage& stage : run.stages) {
    if (stage.policy.empty() && stage.train_only != "new") continue;
    const std::string key = stage.policy.empty() ? "train_only: new" : stage.policy;
    const double share = stage.expected_flops_per_token / stage.flops_per_token;
    const std::string cost = fmt::format(", {:.1f}% {} FLOPs for a token",
                                         100 * std::abs(1 - share), share > 1 ? "more" : "fewer");
    parts.push_back(stage.name + ": " + key + (std::isfinite(share) ? cost : ""));
  }
  return join(parts, "; ");
}

}  // namespace stagedtrain::report
