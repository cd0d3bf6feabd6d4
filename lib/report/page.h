// The report as one HTML page.
#pragma once

#include <string>

#include "base/file.h"
#include "report/comparison.h"

namespace stagedtrain::report {

// The whole page. It needs nothing else: no script, no font, no picture, no address. All text that
// comes from logs is escaped. Runs gnuplot, so it throws Error(resource) where draw() does.
std::string make_page(const Report& report, const std::string& gnuplot = "gnuplot");
// make_page as a file, atomically. Throws Error(usage) before any work if the file is there and
// force is not.
void write_page(const Report& report, const Path& path, bool force);

}  // namespace stagedtrain::report
