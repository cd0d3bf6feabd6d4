// Builds the pages of plans and fits: their sections and texts.
#include "plan_report/plan_page.h"

#include <algorithm>

#include "figures/gnuplot.h"
#include "figures/sections.h"
#include "figures/table.h"
#include "plan_report/plan_figures.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

std::string legend_line(Colour colour, double width, bool dashed, const std::string& text) {
  return fmt::format(
      "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path d=\"M0 6H26\" stroke=\"var({})\" "
      "stroke-width=\"{}\"{}/></svg>{}</li>\n",
      variable(colour), width, dashed ? " stroke-dasharray=\"4 3\"" : "", escaped(text));
}

std::string legend_shape(Colour colour, const char* shape, const std::string& text) {
  return fmt::format(
      "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path d=\"{}\" "
      "fill=\"var({})\"/></svg>{}</li>\n",
      shape, variable(colour), escaped(text));
}

std::string plan_legend() {
  return "<ul class=\"legend\">\n" + legend_line({Ink::staged}, 3, false, "the plan") +
         legend_shape({Ink::staged}, "M13 0L19 11H7Z", "the model grows") +
         legend_line({Ink::scratch}, 2, false, "the final model from scratch") +
         legend_line({Ink::muted}, 1.5, true, "the plan's smaller sizes, trained on") +
         legend_line({Ink::grid}, 2, false, "every other size that could be a stage") + "</ul>\n";
}

std::string fit_legend() {
  return "<ul class=\"legend\">\n" +
         legend_shape({Ink::scratch}, "M13 3a3 3 0 1 0 .01 0Z", "logged losses, thinned") +
         legend_line({Ink::staged}, 3, false, "the fit") +
         legend_line({Ink::muted}, 1.5, true, "fits to the first part of the log alone") +
         legend_shape({Ink::staged_soft}, "M0 1H26V11H0Z", "80% of the bootstraps: noise") +
         "</ul>\n";
}

std::vector<Section> sections_of(const PlanPicture& picture) {
  std::vector<Section> sections;
  sections.push_back(
      {"Loss against compute",
       fmt::format("What the law {} foresees, for every size and for the plan. Down and left is "
                   "better. The plan trains a small model while that is the cheaper way down, and "
                   "grows where the larger one becomes cheaper. Assumption: {}.",
                   picture.law, picture.assumption),
       {path_figure(picture)},
       true});
  if (const auto timing = timing_figures(picture); !timing.empty())
    sections.push_back(
        {"When to grow",
         "What each growth saves, under loss-state, if it comes at another time. The thick part "
         "keeps 95% of the most; the disc is the plan. Late costs more than early.",
         timing});
  sections.push_back(
      {"How much, and how sure",
       "What is saved depends on what a grown model keeps. Floor: it continues where its own curve "
       "has the same loss; then the tokens saved stay the same, and the share falls as runs grow. "
       "Ceiling: it soon catches up with a run from scratch. A measured run shows which.",
       {length_figure(picture), stages_figure(picture)}});
  sections.push_back(
      {"Time and memory",
       "Each block is a stage, and a job of --slurm. A triangle is the memory while the model "
       "grows, when the old and the new state are held together.",
       {jobs_figure(picture)}});
  return sections;
}

// Returns HTML that shows the text with its line breaks.
std::string preformatted(const std::string& text) {
  std::string html = "<div class=\"scroll\"><pre>";
  for (const std::string& line : split(text, '\n')) html += escaped(line) + "\n";
  return html + "</pre></div>\n";
}

std::string page_of(const std::string& title, const std::string& head,
                    const std::vector<Section>& sections, const std::string& legend,
                    const std::string& text, const std::string& gnuplot) {
  const std::vector<std::string> drawn = draw(to_draw(sections), gnuplot);
  std::string html = page_begin(title) + head;
  std::size_t next = 0;
  for (const Section& section : sections) html += section_html(section, legend, drawn, next);
  return html + "<h2>The numbers</h2>\n" + preformatted(text) +
         "<footer>Made by stagedtrain plan.</footer>\n" + page_end();
}

double saved_share(const PlanPicture& picture) {
  const PathStage& last = picture.path.back();
  return 1 - (last.cost_before + last.cost) / (picture.run.tokens * last.size.cost);
}

std::string verdict_of(const plan::FittedCurve& fit) {
  std::string text = fmt::format("{}: falls to {:.3f} nats (80%: {:.3f} to {:.3f})", fit.name,
                                 fit.law.E, fit.low.E, fit.high.E);
  for (const plan::PrefixRefit& refit : fit.prefixes)
    if (refit.share < 0.6)
      text += fmt::format("; its first half predicted its end {:+.4f} nats off", refit.end_error);
  return fmt::format("<p class=\"verdict\">{}.</p>\n", escaped(text));
}

std::string verdict_of(const plan::FittedChinchilla& fit) {
  return fmt::format(
      "<p class=\"verdict\">{}: {} finished runs, loss = {:.3f} + {:.4g} N<sup>-{:.3f}</sup> + "
      "{:.4g} D<sup>-{:.3f}</sup>.</p>\n",
      escaped(fit.name), fit.points, fit.law.E, fit.law.A, fit.law.a, fit.law.B, fit.law.b);
}

// Returns the runs used by the fit, without those with the highest losses, which it dropped.
std::vector<scaling::RunPoint> kept_runs(const plan::FittedChinchilla& fit,
                                         const plan::LoggedRuns& logged) {
  std::vector<scaling::RunPoint> runs;
  for (const plan::LoggedEnds& ends : logged.ends)
    runs.insert(runs.end(), ends.points.begin(), ends.points.end());
  std::ranges::stable_sort(runs, {}, &scaling::RunPoint::loss);
  runs.resize(std::min(runs.size(), static_cast<std::size_t>(fit.points)));
  return runs;
}

}  // namespace

std::string plan_page(const PlanPicture& picture, const std::string& text,
                      const std::string& gnuplot) {
  std::vector<std::string> names;
  for (const PathStage& stage : picture.path) names.push_back(stage.size.name);
  const double saved = saved_share(picture);
  const bool decays = std::abs(picture.decayed_loss / picture.end_loss - 1) > 5e-4;
  std::string head = fmt::format(
      "<h1>Plan of {}</h1>\n<p class=\"verdict\">{}: {:.1f}% {} FLOPs than the final model from "
      "scratch to a loss of {:.4f} ({} tokens{}).</p>\n<p class=\"about\">Assumption: {}. Law: {}. "
      "Counted: all matrix products, head and attention included. Another assumption, end or way "
      "of counting gives another percentage.</p>\n",
      escaped(picture.title), escaped(join(names, ", then ")), 100 * std::abs(saved),
      saved >= 0 ? "fewer" : "more", picture.decayed_loss, short_count(picture.run.tokens),
      decays ? fmt::format("; {:.4f} before the decay, as in the figures", picture.end_loss) : "",
      escaped(picture.assumption), escaped(picture.law));
  if (!picture.warnings.empty()) head += "<ul class=\"fine\">\n";
  for (const std::string& words : picture.warnings)
    head += fmt::format("<li>{}</li>\n", escaped(words));
  if (!picture.warnings.empty()) head += "</ul>\n";
  return page_of("stagedtrain plan", head, sections_of(picture), plan_legend(), text, gnuplot);
}

std::string fit_page(const plan::FittedLaws& laws, const plan::LoggedRuns& logged,
                     const std::string& text, const std::string& gnuplot) {
  std::vector<Section> sections;
  std::string verdicts;
  for (const plan::FittedCurve& fit : laws.curves) {
    const auto found = std::ranges::find(logged.curves, fit.name, &plan::LoggedCurve::name);
    if (found == logged.curves.end()) continue;
    verdicts += verdict_of(fit);
    sections.push_back(
        {fit.name,
         "Where the dashed lines part from the fit, a forecast is that unsure: what the log does "
         "not show yet they could not know. Points without a pattern are noise; a bend in them "
         "says that the law is wrong there. Right of the line is forecast, to three times the log.",
         fit_figures(fit, *found), true});
  }
  if (laws.chinchilla) {
    const std::vector<scaling::RunPoint> runs = kept_runs(*laws.chinchilla, logged);
    verdicts += verdict_of(*laws.chinchilla);
    sections.push_back({laws.chinchilla->name,
                        "Discs are finished runs, lines the law for five sizes of model.",
                        fit_figures(*laws.chinchilla, runs)});
  }
  return page_of("stagedtrain fit", "<h1>Fitted laws</h1>\n" + verdicts, sections, fit_legend(),
                 text, gnuplot);
}

}  // namespace stagedtrain::report
