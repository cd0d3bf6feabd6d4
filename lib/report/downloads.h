// Figures as files that a reader can save from the page: the picture, and its numbers.
#pragma once

#include <string>

#include "report/figure.h"

namespace stagedtrain::report {

// The numbers behind a figure: "series,X,Y,standard error", a line for each point of each named
// series, in the units of the axes. Series begin with our own words, so that no cell is a formula
// to a spreadsheet.
std::string to_csv(const Figure& figure);
// gnuplot's picture as a file of its own, with the light colours.
std::string standalone_svg(const std::string& svg);
// Two links that save the picture and the numbers, which lie in the page itself.
std::string download_links(const Figure& figure, const std::string& svg);

}  // namespace stagedtrain::report
