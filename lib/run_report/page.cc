// Builds the report's page from the verdict down to the fine print.
#include "run_report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures/gnuplot.h"
#include "figures/sections.h"
#include "run_report/phrases.h"
#include "run_report/plots.h"
#include "run_report/report_tables.h"
#include "run_report/setup.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::report {
namespace {

// Explains the arrows of the ends figure; "" if it has none.
std::string arrows_sentence(const Report& report) {
  bool better = false, worse = false;
  for (const Comparison& comparison : report.comparisons) {
    const auto& saving = comparison[CostKind::flops].saving;
    if (!saving || saving->reach == Reach::beyond) continue;
    (saving->value >= 0 ? better : worse) = true;
  }
  if (better && worse)
    return " The horizontal arrows are the difference in compute at the same loss, the vertical "
           "ones the difference in loss at the same compute.";
  if (better)
    return " The horizontal arrow is the compute that staging saved at the same loss, the vertical "
           "one what it gained in loss at the same compute.";
  if (worse)
    return " The horizontal arrow is the compute that staging took in excess at the same loss, the "
           "vertical one what it lost in loss at the same compute.";
  return "";
}

std::vector<Section> sections_of(const Report& report) {
  std::vector<Section> sections;
  if (auto ends = ends_figure(report))
    sections.push_back(
        {ends->title,
         "Each disc is a finished run: its final loss, with a bar of one standard error to each "
         "side where that is longer than the disc, and all the compute that it took. Farther left "
         "is cheaper, lower is better. The "
         "dashed line joins the runs from scratch; the comparison is read off its solid part." +
             arrows_sentence(report),
         {*ends}});
  if (auto paths = path_figures(report); !paths.empty())
    sections.push_back(
        {"On the way there",
         "These curves show how the runs went. They are not what is compared: before the "
         "learning rate has decayed, a loss says little about where the run will end.",
         std::move(paths), true});
  if (auto optimizer = optimizer_figures(report); !optimizer.empty())
    sections.push_back({"The optimizer", "", std::move(optimizer)});
  return sections;
}

// ---- The legend of colours and marks.

std::string legend_item(const std::string& mark, const std::string& text) {
  return fmt::format("<li><svg viewBox=\"0 0 26 12\" aria-hidden=\"true\">{}</svg>{}</li>\n", mark,
                     escaped(text));
}

std::string mark_line(Colour colour, double width) {
  return fmt::format("<path d=\"M0 6H26\" stroke=\"var({})\" stroke-width=\"{}\"/>",
                     variable(colour), width);
}

std::string staged_name(const Report& report, std::size_t run) {
  const std::string tag = run_tag(report, run);
  return tag == "staged" ? tag : "staged: " + tag;
}

std::string legend_html(const Report& report) {
  std::string items;
  bool scratch = false;
  for (std::size_t i = 0; i < report.runs.size(); ++i) {
    const Run& run = report.runs[i];
    if (!run.staged() && scratch) continue;
    scratch = scratch || !run.staged();
    items += legend_item(
        mark_line(run_colour(report, i), 3),
        run.staged() ? staged_name(report, i) : "from scratch, one line for each budget");
  }
  items += legend_item(mark_line({Ink::ink}, 2.5), "validation loss");
  items += legend_item(mark_line({Ink::scratch_soft}, 1.5), "training loss, smoothed");
  if (std::ranges::any_of(report.runs, [](const Run& run) { return !run.growths.empty(); }))
    items += legend_item("<path d=\"M13 0L19 11H7Z\" fill=\"var(--ink)\"/>", "the model grows");
  if (std::ranges::any_of(report.runs, [](const Run& run) { return run.comparable(); }))
    items += legend_item("<circle cx=\"13\" cy=\"6\" r=\"4.5\" fill=\"var(--ink)\"/>",
                         "end, learning rate fully decayed");
  return "<ul class=\"legend\">\n" + items + "</ul>\n";
}

// ---- The head of the page.

std::string card(const std::string& number, const std::string& meaning, bool good) {
  return fmt::format("<li{}><b>{}</b><span>{}</span></li>\n", good ? " class=\"good\"" : "",
                     escaped(number), escaped(meaning));
}

std::string saving_card(const CostResult& result) {
  const Saving& saving = *result.saving;
  const auto meaning = [&](bool less) {
    const bool time = result.kind == CostKind::seconds;
    return fmt::format("{} {} at the same loss",
                       !less  ? "more"
                       : time ? "less"
                              : "fewer",
                       cost_name(result.kind));
  };
  if (saving.reach == Reach::beyond) {
    const double bound = saving.at_least ? *saving.at_least : saving.at_most.value_or(kUnknown);
    const bool least = saving.at_least.has_value() == (bound >= 0);  // bounds the absolute value
    return card((least ? "≥ " : "≤ ") + percent_text(std::abs(bound), kUnknown),
                meaning(bound >= 0), bound > 0 && saving.at_least.has_value());
  }
  const char* how = saving.reach == Reach::extrapolated ? " (extrapolated)" : "";
  return card(percent_text(std::abs(saving.value), saving.se), meaning(saving.value >= 0) + how,
              saving.value > 2 * saving.se);
}

std::string cards(const Comparison& comparison) {
  std::string items;
  for (const CostResult& result : comparison.results)
    if (result.saving && result.kind != CostKind::tokens) items += saving_card(result);
  const auto& gap = comparison[CostKind::flops].gap;
  if (gap && gap->reach != Reach::beyond)
    items += card(
        loss_text(std::abs(gap->value), gap->se),
        fmt::format("nats per token {} at the same FLOPs", gap->value >= 0 ? "lower" : "higher"),
        gap->value > 2 * gap->se);
  return items.empty() ? "" : "<ul class=\"cards\">\n" + items + "</ul>\n";
}

std::string list_html(const std::vector<std::string>& sentences) {
  if (sentences.empty()) return "";
  std::string html = "<ul class=\"fine\">\n";
  for (const std::string& sentence : sentences)
    html += fmt::format("<li>{}</li>\n", escaped(sentence));
  return html + "</ul>\n";
}

std::string with_name(const Report& report, const std::string& text) {
  const std::string name = schedule_name(report);
  return name.empty() ? text : name + ": " + text;
}

// Returns a page title such as "demo: 23% fewer FLOPs - stagedtrain report".
std::string title_of(const Report& report) {
  std::string text = "staged training compared with training from scratch";
  if (report.comparisons.size() == 1 && report.comparisons[0][CostKind::flops].saving)
    text = saving_text(report.comparisons[0][CostKind::flops]);
  return with_name(report, text) + " - stagedtrain report";
}

std::string head_html(const Report& report) {
  std::string html = fmt::format(
      "<h1>{}</h1>\n",
      escaped(with_name(report, "training in stages, compared with training from scratch")));
  for (const Comparison& comparison : report.comparisons) {
    html += fmt::format("<p class=\"verdict\">{}</p>\n", escaped(verdict(report, comparison)));
    html += cards(comparison);
  }
  if (report.comparisons.empty())
    html += fmt::format("<p class=\"verdict\">{}</p>\n", escaped(empty_verdict(report)));
  if (const std::string notice = unfinished_notice(report); !notice.empty())
    html += fmt::format("<p class=\"about\">{}</p>\n", escaped(notice));
  return html + list_html(report.problems);
}

std::string tables_html(const Report& report) {
  std::string html = "<h2>The numbers</h2>\n";
  for (const Comparison& comparison : report.comparisons) {
    const std::string savings = to_html(savings_table(report, comparison));
    html += savings;
    if (savings.find(">-") != std::string::npos)
      html +=
          "<p class=\"about\">A value below zero means that the staged run needed more, or that "
          "its loss was higher.</p>\n";
  }
  return html + to_html(runs_table(report)) + to_html(seeds_table(report)) +
         to_html(stages_table(report)) + to_html(run_predictions_table(report)) +
         to_html(predictions_table(report)) + to_html(growths_table(report)) +
         to_html(selections_table(report)) + to_html(transplants_table(report)) +
         to_html(generated_table(report));
}

std::string fine_print_html(const Report& report) {
  std::vector<std::string> said;
  for (const Comparison& comparison : report.comparisons)
    for (const std::string& sentence : fine_print(report, comparison))
      if (std::ranges::find(said, sentence) == said.end()) said.push_back(sentence);
  if (said.empty()) return "";
  return "<h2>How these numbers are made</h2>\n" + list_html(said);
}

std::string setup_section(const Report& report, const PageOrigin& origin) {
  std::vector<Fact> facts = setup_facts(report);
  if (!origin.command.empty()) facts.push_back({"this page's command", origin.command});
  if (!origin.date.empty()) facts.push_back({"this page's date", origin.date});
  return "<h2>What was run</h2>\n" + setup_html(facts);
}

std::string footer_html(const Report& report) {
  return fmt::format("<footer>Made by stagedtrain report from {}.</footer>\n",
                     counted(std::ssize(report.runs), "run"));
}

}  // namespace

std::string make_page(const Report& report, const PageOrigin& origin, const std::string& gnuplot) {
  const std::vector<Section> sections = sections_of(report);
  const std::vector<Figure> figures = to_draw(sections);
  const std::vector<std::string> drawn = draw(figures, gnuplot);
  std::string html = page_begin(title_of(report)) + head_html(report);
  std::size_t next = 0;
  for (const Section& section : sections)
    html += section_html(section, legend_html(report), drawn, next);
  return html + tables_html(report) + setup_section(report, origin) + fine_print_html(report) +
         footer_html(report) + page_end();
}

void write_page(const Report& report, const Path& path, bool force, const PageOrigin& origin) {
  refuse_overwrite(path, force);
  write_file_atomically(path, make_page(report, origin), force ? Replace::yes : Replace::no);
}

}  // namespace stagedtrain::report
