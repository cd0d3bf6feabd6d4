// How can a reader save a figure from the page? The picture and its numbers.
#pragma once

#include <string>

#include "figures/figure.h"

namespace stagedtrain::report {

// Returns the numbers behind a figure in the units of its axes: "series,X,Y,standard error", then
// one line per point of each named series. Series names begin with fixed words of our own, so a
// spreadsheet takes no cell for a formula.
std::string to_csv(const Figure& figure);
// Returns gnuplot's picture as a stand-alone file, with the light colours.
std::string standalone_svg(const std::string& svg);
// Returns two links that save the picture and the numbers; both are embedded in the page.
std::string download_links(const Figure& figure, const std::string& svg);

}  // namespace stagedtrain::report
