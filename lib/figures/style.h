// How do the report's pages look? Their style sheet and colours.
#pragma once

#include <string>
#include <string_view>

#include "figures/figure.h"

namespace stagedtrain::report {

// Returns CSS with a light and a dark value for every colour of figure.h. It contains no url() and
// no @import.
std::string_view style_sheet();
// Returns a colour's light value, such as "#1c2126".
std::string light_value(Colour colour);

}  // namespace stagedtrain::report
