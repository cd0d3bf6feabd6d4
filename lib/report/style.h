// The look of the report's page.
#pragma once

#include <string_view>

namespace stagedtrain::report {

// CSS, with a light and a dark value for every colour of figure.h. No url(), no @import.
std::string_view style_sheet();

}  // namespace stagedtrain::report
