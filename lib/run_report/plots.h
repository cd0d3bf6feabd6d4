// Which figures does a report have?
#pragma once

#include <optional>
#include <vector>

#include "compare/comparison.h"
#include "figures/figure.h"

namespace stagedtrain::report {

// Draws the decayed ends alone, with the interpolation and the saving; nothing if there is no
// saving in FLOPs to show.
std::optional<Figure> ends_figure(const Report& report);
// Draws the loss of every run against FLOPs, tokens and wall-clock time: training loss thin,
// validation loss bold, growths and ends marked. Measures that no run logged are left out.
std::vector<Figure> path_figures(const Report& report);
// Draws learning rate and gradient norm against steps.
std::vector<Figure> optimizer_figures(const Report& report);

// Returns the colour of a run: staged runs cycle through the shades, scratch runs share one.
Colour run_colour(const Report& report, std::size_t run, bool soft = false);
// Returns what a figure calls a run: "staged" if it is the only staged run, "1,400 steps" for a
// scratch run that is the only one of this length, otherwise its label.
std::string run_tag(const Report& report, std::size_t run);
// Returns at most `count` points, the means of equally large groups of consecutive points. Points
// that are not finite are left out.
std::vector<XY> bucket_means(const std::vector<XY>& points, std::size_t count);

}  // namespace stagedtrain::report
