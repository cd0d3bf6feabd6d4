// What the report draws.
#pragma once

#include <optional>
#include <vector>

#include "report/comparison.h"
#include "report/figure.h"

namespace stagedtrain::report {

// The decayed ends alone, with the interpolation and the saving drawn in; nothing if there is no
// saving in FLOPs to show.
std::optional<Figure> ends_figure(const Report& report);
// Loss of every run on its way, against FLOPs, tokens and wall-clock time: training loss thin,
// validation loss bold, growth and ends marked. Measures that no run logged are left out.
std::vector<Figure> path_figures(const Report& report);
// Learning rate and gradient norm against steps.
std::vector<Figure> optimizer_figures(const Report& report);

// The colour of a run: staged runs take turns, scratch runs share one.
Colour run_colour(const Report& report, std::size_t run, bool soft = false);
// What a figure calls a run: "staged" where one run is, "1,400 steps" for a scratch run that alone
// has this length, else its label.
std::string run_tag(const Report& report, std::size_t run);
// At most count points: the mean over equal shares of the steps, NaN left out.
std::vector<XY> bucket_means(const std::vector<XY>& points, std::size_t count);

}  // namespace stagedtrain::report
