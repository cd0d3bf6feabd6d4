// How do figures become pictures? By running gnuplot.
#pragma once

#include <string>
#include <vector>

#include "figures/figure.h"

namespace stagedtrain::report {

// Returns each figure as the text of an SVG file, in order. Runs the program once, without a shell
// and without the user's gnuplot settings, in a temporary folder that is then removed. Throws
// Error(resource) if the program is missing (naming the package) or fails (with its output).
std::vector<std::string> draw(const std::vector<Figure>& figures,
                              const std::string& program = "gnuplot");

}  // namespace stagedtrain::report
