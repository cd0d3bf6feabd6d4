// A real browser that lays out a page and measures it (headless Chromium).
#pragma once

#include <string>
#include <vector>

namespace stagedtrain::test {

enum class Scheme { light, dark };

// What is wrong with the page in frames of these widths, a line each; empty if nothing is: elements
// wider than the frame (tables scroll inside their own box, and say so), labels of a figure that
// overlap or are cut off, words that are broken, text of low contrast. Throws std::runtime_error if
// the browser fails.
std::vector<std::string> page_faults(const std::string& html, const std::vector<int>& widths,
                                     Scheme scheme);

// Whether Chromium is there; skips the test case, with the reason, if not.
bool has_browser();

}  // namespace stagedtrain::test
