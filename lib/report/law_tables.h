// Fitted laws as tables of a terminal.
#pragma once

#include <string>

#include "plan/law_file.h"

namespace stagedtrain::report {

// Parameters with intervals, how good the fit is, prefix refits, and the notes.
std::string to_text(const plan::FittedLaws& laws);

}  // namespace stagedtrain::report
