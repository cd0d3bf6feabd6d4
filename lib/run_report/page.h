// How does a report become one HTML page?
#pragma once

#include <string>

#include "compare/comparison.h"
#include "io/file.h"

namespace stagedtrain::report {

// The command that made the page and its date; "" omits them.
struct PageOrigin {
  std::string command, date;
};
// Returns the whole page. It is self-contained: it loads no script, font, picture or other address.
// All text from logs is escaped. Runs gnuplot, so it throws Error(resource) as draw() does.
std::string make_page(const Report& report, const PageOrigin& origin = {},
                      const std::string& gnuplot = "gnuplot");
// Writes make_page() to a file atomically. Throws Error(usage) before any work if the file exists
// and force is not set.
void write_page(const Report& report, const Path& path, bool force, const PageOrigin& origin = {});

}  // namespace stagedtrain::report
