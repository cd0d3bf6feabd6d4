// Formats what `plan --fit` prints.
#include "plan_report/law_tables.h"

#include <fmt/format.h>

#include <cmath>

#include "figures/table.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

std::string digits(double value) {
  if (!std::isfinite(value)) return "unknown";
  const double size = std::fabs(value);
  if (size >= 1e6) return fmt::format("{:.4g}", value);
  return size >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.4f}", value);
}

std::vector<std::string> parameter_row(const char* name, double value, double low, double high) {
  return {name, digits(value), digits(low), digits(high)};
}

Table parameter_table(std::string title) {
  return {std::move(title),
          {{"parameter", false}, {"value", true}, {"80% low", true}, {"80% high", true}},
          {}};
}

std::string starts_text(double agreeing, double starts, double gradient) {
  return fmt::format("{} of {} starts agree, gradient {:.0e}", agreeing, starts, gradient);
}

std::string prefix_text(const plan::FittedCurve& curve) {
  Table table{"",
              {{"refit to", false},
               {"E", true},
               {"B", true},
               {"b", true},
               {"x0", true},
               {"loss at the end", true},
               {"error, nats", true}},
              {}};
  for (const plan::PrefixRefit& refit : curve.prefixes)
    table.rows.push_back({fmt::format("first {:.0f}%", 100 * refit.share), digits(refit.law.E),
                          digits(refit.law.B), digits(refit.law.b), digits(refit.law.x0),
                          digits(refit.law.loss(curve.last_x)),
                          fmt::format("{:+.4f}", refit.end_error)});
  return to_text(table);
}

std::string curve_text(const plan::FittedCurve& c) {
  Table table = parameter_table("");
  table.rows = {parameter_row("E", c.law.E, c.low.E, c.high.E),
                parameter_row("B", c.law.B, c.low.B, c.high.B),
                parameter_row("b", c.law.b, c.low.b, c.high.b),
                parameter_row("x0", c.law.x0, c.low.x0, c.high.x0)};
  const std::string model =
      c.model_parameters > 0 ? fmt::format(", {} parameters", short_count(c.model_parameters)) : "";
  const std::string about = wrapped(fmt::format(
      "{} points of steps {} to {} (warm-up {}), {} spikes dropped; Huber {:.2g}, residuals "
      "{:.3f}%; {}",
      c.points, format_number(c.first_step), format_number(c.last_step),
      format_number(c.warmup_steps), c.spikes, c.huber, 100 * c.noise,
      starts_text(c.agreeing_starts, c.starts, c.gradient)));
  return fmt::format(
      "{}{}\nloss = E + B (x + x0)^-b, x in steps at peak learning rate ({})\n{}\n{}\n"
      "How well it predicts its own end (trust it to 2 or 3 times the steps fitted):\n{}",
      c.name, model, format_number(c.peak_rate), about, to_text(table), prefix_text(c));
}

std::string chinchilla_text(const plan::FittedChinchilla& c) {
  Table table = parameter_table("");
  table.rows = {parameter_row("E", c.law.E, c.low.E, c.high.E),
                parameter_row("A", c.law.A, c.low.A, c.high.A),
                parameter_row("B", c.law.B, c.low.B, c.high.B),
                parameter_row("a", c.law.a, c.low.a, c.high.a),
                parameter_row("b", c.law.b, c.low.b, c.high.b)};
  const std::string about = wrapped(fmt::format(
      "{} runs, {} of the highest losses dropped, to {} parameters and {} tokens; Huber "
      "{}, objective {:.9g}; {}",
      c.points, c.dropped, short_count(c.largest_parameters), short_count(c.most_tokens),
      format_number(c.huber), c.objective, starts_text(c.agreeing_starts, c.starts, c.gradient)));
  return fmt::format(
      "{}\nloss = E + A N^-a + B D^-b of finished runs, N parameters, D tokens\n{}\n{}", c.name,
      about, to_text(table));
}

std::string joint_text(const plan::FittedJoint& j) {
  const scaling::JointLaw &l = j.law, &low = j.low, &high = j.high;
  Table table = parameter_table("");
  table.rows = {parameter_row("E", l.E, low.E, high.E),
                parameter_row("A", l.A, low.A, high.A),
                parameter_row("a", l.a, low.a, high.a),
                parameter_row("B", l.B, low.B, high.B),
                parameter_row("b", l.b, low.b, high.b),
                parameter_row("beta", l.beta, low.beta, high.beta)};
  if (j.decayed) {
    table.rows.push_back(parameter_row("1000 C", 1e3 * l.C, 1e3 * low.C, 1e3 * high.C));
    table.rows.push_back(parameter_row("gamma", l.gamma, low.gamma, high.gamma));
  }
  const std::string about = wrapped(fmt::format(
      "{}, {} points; runs that differ in their seed alone scatter by {:.2f}% ({:.1f} degrees of "
      "freedom); gradient {:.0e} at the best fit",
      plan::runs_text(j), j.points, 100 * j.scatter, j.freedom, j.gradient));
  return fmt::format(
      "One law for all sizes: loss = E + A n^-a + B n^beta (x + x0)^-b{}\n"
      "n: parameters without embeddings, in units of {}\n"
      "x: tokens, each weighted by (learning rate / peak)^{:g}, in units of {}; x0: "
      "{:.3g}\n{}{}\n{}",
      j.decayed ? " - C n^gamma S" : "", short_count(l.size), l.response.rate_exponent,
      short_count(l.tokens), l.x0 / l.tokens,
      j.decayed ? fmt::format("S: how far the learning rate fell, as much as has taken effect; "
                              "relaxation {:g} a step\n",
                              l.response.relaxation)
                : "",
      about, to_text(table));
}

}  // namespace

std::string to_text(const plan::FittedLaws& laws) {
  std::string text;
  for (const plan::FittedCurve& curve : laws.curves)
    text += (text.empty() ? "" : "\n") + curve_text(curve);
  if (laws.joint) text += (text.empty() ? "" : "\n") + joint_text(*laws.joint);
  if (laws.chinchilla) text += (text.empty() ? "" : "\n") + chinchilla_text(*laws.chinchilla);
  if (!laws.notes.empty()) text += "\n";
  for (const std::string& note : laws.notes) text += wrapped(note, 100, "  ");
  return text;
}

}  // namespace stagedtrain::report
