// Writes page frames, sections and figures as HTML.
#include "figures/sections.h"

#include <fmt/format.h>

#include "figures/downloads.h"
#include "figures/style.h"
#include "figures/table.h"

namespace stagedtrain::report {
namespace {

constexpr int kNarrowWidth = 480, kNarrowHeight = 380;  // size of a wide figure on a phone

Figure narrowed(Figure figure) {
  figure.width = kNarrowWidth;
  figure.height = kNarrowHeight;
  return figure;
}
bool is_wide(const Figure& figure) { return figure.width > kNarrowWidth; }

std::string figure_html(const Figure& figure, const std::vector<std::string>& drawn,
                        std::size_t& next, bool titled) {
  std::string html = "<figure>";
  if (titled) html += fmt::format("<figcaption>{}</figcaption>", escaped(figure.title));
  const std::string links = download_links(figure, drawn[next]);
  const auto add = [&](const char* kind) {
    const std::string prefix = fmt::format("f{}-", next);
    html +=
        fmt::format("<div{}>{}</div>", kind, inline_svg(drawn[next], prefix, escaped(figure.alt)));
    ++next;
  };
  add(is_wide(figure) ? " class=\"wide\"" : "");
  if (is_wide(figure)) add(" class=\"narrow\"");
  return html + links + "</figure>\n";
}

}  // namespace

std::string page_begin(const std::string& title) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
      escaped(title), style_sheet());
}

std::string page_end() { return "</main>\n</body>\n</html>\n"; }

std::vector<Figure> to_draw(const std::vector<Section>& sections) {
  std::vector<Figure> figures;
  for (const Section& section : sections)
    for (const Figure& figure : section.figures) {
      figures.push_back(figure);
      if (is_wide(figure)) figures.push_back(narrowed(figure));
    }
  return figures;
}

std::string section_html(const Section& section, const std::string& legend,
                         const std::vector<std::string>& drawn, std::size_t& next) {
  std::string html = fmt::format("<h2>{}</h2>\n", escaped(section.title));
  if (!section.about.empty())
    html += fmt::format("<p class=\"about\">{}</p>\n", escaped(section.about));
  if (section.legend) html += legend;
  bool paired = false;
  for (const Figure& figure : section.figures) {
    if (!is_wide(figure) && !paired) html += "<div class=\"pair\">\n";
    paired = paired || !is_wide(figure);
    html += figure_html(figure, drawn, next, section.title != figure.title);
  }
  return html + (paired ? "</div>\n" : "");
}

}  // namespace stagedtrain::report
