// The parts that every page is made of: its frame, and sections of figures under a heading.
#pragma once

#include <string>
#include <vector>

#include "report/figure.h"

namespace stagedtrain::report {

// Figures of one section; drawn together with all others, since gnuplot runs once. Plain text.
struct Section {
  std::string title, about;
  std::vector<Figure> figures;
  bool legend = false;
};

// Everything of a page before and after its content.
std::string page_begin(const std::string& title);
std::string page_end();

// What gnuplot has to draw, in order: a wide figure twice, for wide screens and for phones.
std::vector<Figure> to_draw(const std::vector<Section>& sections);
// One section with its pictures, of which `next` is the first in `drawn`; moves on `next`. legend:
// HTML that is put above the figures of sections that want it.
std::string section_html(const Section& section, const std::string& legend,
                         const std::vector<std::string>& drawn, std::size_t& next);

}  // namespace stagedtrain::report
