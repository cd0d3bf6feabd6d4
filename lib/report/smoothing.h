// Noisy curves made quiet enough to be read.
#pragma once

#include <cstddef>
#include <vector>

#include "report/figure.h"

namespace stagedtrain::report {

// A local straight line through the nearest points at each of at most count places, evenly spread
// over log x (Cleveland's LOESS, degree 1, tricube weights, in log x). Each line is fitted to
// `neighbours` points, or to more where these span less than a factor of 1.1 in x. A loss curve is
// close to a straight line in log x over such a span, so the fit keeps its slope, which a running
// mean would not. points: by rising x > 0; those that are not finite are left out.
std::vector<XY> smoothed(std::vector<XY> points, std::size_t neighbours, std::size_t count);

}  // namespace stagedtrain::report
