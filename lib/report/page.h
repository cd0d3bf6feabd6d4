// The report as one HTML page.
#pragma once

#include <string>

#include "base/file.h"
#include "report/comparison.h"

namespace stagedtrain::report {

// What the page says of itself: the command that made it and the date, "" to leave them out.
struct PageOrigin {
  std::string command, date;
};
// The whole page. It needs nothing else: no script, no font, no picture, no address. All text that
// comes from logs is escaped. Runs gnuplot, so it throws Error(resource) where draw() does.
std::string make_page(const Report& report, const PageOrigin& origin = {},
                      const std::string& gnuplot = "gnuplot");
// make_page as a file, atomically. Throws Error(usage) before any work if the file is there and
// force is not.
void write_page(const Report& report, const Path& path, bool force, const PageOrigin& origin = {});

}  // namespace stagedtrain::report
