// How are noisy loss curves smoothed for plotting?
#pragma once

#include <cstddef>
#include <vector>

#include "figures/figure.h"

namespace stagedtrain::report {

// Fits a straight line to the points near each of `count` positions, evenly spaced in log x
// (Cleveland's LOESS with degree 1 and tricube weights, in log x). Each line is fitted to the
// nearest `neighbours` points, or to more if these span less than a factor of 1.1 in x to each
// side. A loss curve is close to a straight line in log x over such a span, so the fit keeps its
// slope, which a running mean would not. points must be sorted by x; those with x <= 0 or a value
// that is not finite are left out. Fewer than 3 points are returned unchanged.
std::vector<XY> smoothed(std::vector<XY> points, std::size_t neighbours, std::size_t count);

}  // namespace stagedtrain::report
