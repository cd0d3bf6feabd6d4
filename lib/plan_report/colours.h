// The colours of the figures of plans and laws.
#pragma once

#include "figures/figure.h"

namespace stagedtrain::report {

inline constexpr Colour kStaged{Ink::staged, 0}, kSoft{Ink::staged_soft, 0},
    kScratch{Ink::scratch, 0}, kMuted{Ink::muted, 0}, kGrid{Ink::grid, 0}, kGood{Ink::good, 0};

}  // namespace stagedtrain::report
