// How are fitted scaling laws printed on a terminal?
#pragma once

#include <string>

#include "fit/law_file.h"

namespace stagedtrain::report {

// Returns the parameters with their intervals, the quality of the fit, prefix refits, and notes.
std::string to_text(const plan::FittedLaws& laws);

}  // namespace stagedtrain::report
