// What does every page consist of? A frame, and sections of figures under headings.
#pragma once

#include <string>
#include <vector>

#include "figures/figure.h"

namespace stagedtrain::report {

// Figures under one heading; title and about are plain text. All figures of a page are drawn
// together, because gnuplot runs once.
struct Section {
  std::string title, about;
  std::vector<Figure> figures;
  bool legend = false;
};

// Return everything before and after a page's content.
std::string page_begin(const std::string& title);
std::string page_end();

// Returns the figures to draw, in order. A wide figure appears twice, for wide screens and for
// phones.
std::vector<Figure> to_draw(const std::vector<Section>& sections);
// Returns the HTML of one section. Its pictures start at drawn[next]; advances `next` past them.
// legend is HTML that precedes the figures of sections with a legend.
std::string section_html(const Section& section, const std::string& legend,
                         const std::vector<std::string>& drawn, std::size_t& next);

}  // namespace stagedtrain::report
