// Prints scores as a table.
#include <cmath>

#include "outcomes/scores.h"
#include "text/percent.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

using Row = std::vector<std::string>;

struct Style {
  const char* name;
  std::string (*text)(double);
};

std::string nats(double value) { return fmt::format("{:.4f}", value); }
std::string time(double value) { return short_seconds(value); }

Row row_of(const std::string& run, const Style& style, const ScoredNumber& n) {
  return {run,
          style.name,
          style.text(n.predicted),
          n.ranged() ? style.text(n.low) + " to " + style.text(n.high) : "none",
          style.text(n.measured),
          n.ranged() ? (n.inside() ? "yes" : "no") : "",
          std::isfinite(n.z()) ? fmt::format("{:+.1f}", n.z()) : ""};
}

std::size_t with_intervals(const Scores& scores, ScoredNumber ScoredRun::*number) {
  std::size_t count = 0;
  for (const ScoredRun& run : scores.all()) count += std::isfinite((run.*number).z());
  return count;
}

std::string widening_text(const char* what, std::size_t count, double factor) {
  if (count < kFewestScores)
    return fmt::format(
        "{}: {} predictions with an interval; from {} on, misses widen later intervals", what,
        count, kFewestScores);
  return fmt::format(
      "{}: {} predictions with an interval; stored, they make later intervals {:.2f} times as wide",
      what, count, factor);
}

}  // namespace

std::string to_text(const Scores& scores) {
  if (scores.all().empty())
    return "No run has been scored yet. A run that has a prediction is scored when it ends, and "
           "by\n"
           "stagedtrain report --store-outcomes.\n";
  std::vector<Row> rows = {{"run", "what", "predicted", "80%", "measured", "inside", "z"}};
  const Style loss{"loss", nats}, saving{"saving", percent}, seconds{"time", time};
  for (const ScoredRun& run : scores.all()) {
    std::string name = run.run;
    const auto add = [&](const Style& style, const ScoredNumber& number) {
      if (number.known()) rows.push_back(row_of(std::exchange(name, ""), style, number));
    };
    add(loss, run.loss);
    add(saving, run.saving);
    add(seconds, run.seconds);
  }
  return text_table(rows, 2, "") +
         wrapped(
             "inside: whether the measurement lies in the interval that was printed before the "
             "run. "
             "z: measured minus predicted, in standard deviations of the fit's own interval, "
             "before "
             "earlier misses widened it, and of the measurement") +
         wrapped(widening_text("losses", with_intervals(scores, &ScoredRun::loss),
                               scores.loss_widening())) +
         wrapped(widening_text("savings", with_intervals(scores, &ScoredRun::saving),
                               scores.saving_widening()));
}

}  // namespace stagedtrain::plan
