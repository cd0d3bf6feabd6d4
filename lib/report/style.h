// The look of the report's page.
#pragma once

#include <string>
#include <string_view>

#include "report/figure.h"

namespace stagedtrain::report {

// CSS, with a light and a dark value for every colour of figure.h. No url(), no @import.
std::string_view style_sheet();
// A colour's light value: "#1c2126".
std::string light_value(Colour colour);

}  // namespace stagedtrain::report
