// Sections of a plan's page, and their words.
#include "report/plan_page.h"

#include <algorithm>

#include "base/text.h"
#include "report/gnuplot.h"
#include "report/sections.h"
#include "report/table.h"

namespace stagedtrain::report {
namespace {

std::string legend_line(Colour colour, double width, bool dashed, const std::string& text) {
  return fmt::format(
      "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path d=\"M0 6H26\" stroke=\"var({})\" "
      "stroke-width=\"{}\"{}/></svg>{}</li>\n",
      variable(colour), width, dashed ? " stroke-dasharray=\"4 3\"" : "", escaped(text));
}

std::string legend_html() {
  return "<ul class=\"legend\">\n" + legend_line({Ink::staged}, 3, false, "the plan") +
         legend_line({Ink::scratch}, 2, false, "the final model from scratch") +
         legend_line({Ink::muted}, 1.5, true, "the plan's smaller sizes, trained on") +
         legend_line({Ink::grid}, 2, false, "every other size that could be a stage") +
         "<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\"><path d=\"M13 0L19 11H7Z\" "
         "fill=\"var(--staged-0)\"/></svg>the model grows</li>\n</ul>\n";
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
       "What is saved depends on what a grown model remembers. Floor: it stands where its own "
       "curve has the same loss; then the tokens saved stay the same, and the share falls as runs "
       "grow. Ceiling: it soon stands where it would from scratch. A measured run tells which.",
       {length_figure(picture), stages_figure(picture)}});
  sections.push_back(
      {"Time and memory",
       "Each block is a stage. A triangle is the memory while the model grows, when the old and "
       "the new state are held together.",
       {jobs_figure(picture)}});
  return sections;
}

// Lines stay lines.
std::string preformatted(const std::string& text) {
  std::string html = "<div class=\"scroll\"><pre>";
  for (const std::string& line : split(text, '\n')) html += escaped(line) + "\n";
  return html + "</pre></div>\n";
}

std::string page_of(const std::string& title, const std::string& head,
                    const std::vector<Section>& sections, const std::string& text,
                    const std::string& gnuplot) {
  const std::vector<std::string> drawn = draw(to_draw(sections), gnuplot);
  std::string html = page_begin(title) + head;
  std::size_t next = 0;
  for (const Section& section : sections) html += section_html(section, legend_html(), drawn, next);
  return html + "<h2>The numbers</h2>\n" + preformatted(text) +
         "<footer>Made by stagedtrain plan.</footer>\n" + page_end();
}

double saved_share(const PlanPicture& picture) {
  const PathStage& last = picture.path.back();
  const double cost = last.cost_before + (last.end - last.begin) * last.size.cost;
  return 1 - cost / (picture.run.tokens * last.size.cost);
}

}  // namespace

std::string plan_page(const PlanPicture& picture, const std::string& text,
                      const std::string& gnuplot) {
  std::vector<std::string> names;
  for (const PathStage& stage : picture.path) names.push_back(stage.size.name);
  const double saved = saved_share(picture);
  const std::string head = fmt::format(
      "<h1>Plan of {}</h1>\n<p class=\"verdict\">{}: {:.1f}% {} FLOPs than the final model from "
      "scratch to a loss of {:.4f} ({} tokens), under the {}, by the law {}.</p>\n",
      escaped(picture.title), escaped(join(names, ", then ")), 100 * std::abs(saved),
      saved >= 0 ? "fewer" : "more", picture.end_loss, short_count(picture.run.tokens),
      escaped(picture.assumption), escaped(picture.law));
  return page_of("stagedtrain plan", head, sections_of(picture), text, gnuplot);
}

std::string fit_page(const plan::FittedLaws& laws, const plan::LoggedRuns& logged,
                     const std::string& text, const std::string& gnuplot) {
  std::vector<Section> sections;
  for (const plan::FittedCurve& fit : laws.curves) {
    const auto found = std::ranges::find(logged.curves, fit.name, &plan::LoggedCurve::name);
    if (found == logged.curves.end()) continue;
    sections.push_back(
        {fit.name,
         "Discs are logged losses, thinned; the line is the fit, the dashed ones are fits to the "
         "first part of the log alone. Where they part, the forecast is that unsure. Residuals "
         "that follow no pattern are noise; a bend says that the law is wrong there.",
         fit_figures(fit, *found)});
  }
  const std::string head = fmt::format(
      "<h1>Fitted laws</h1>\n<p class=\"verdict\">{} fitted.</p>\n",
      sections.size() == 1 ? std::string("One curve") : fmt::format("{} curves", sections.size()));
  return page_of("stagedtrain fit", head, sections, text, gnuplot);
}

}  // namespace stagedtrain::report
