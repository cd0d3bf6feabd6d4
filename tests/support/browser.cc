// Chromium without a window: the page in frames, a script that measures them, and what it writes.
#include "support/browser.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "support/command.h"
#include "support/skip.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/text.h"

namespace stagedtrain::test {
namespace {

std::string attribute(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '&' ? "&amp;" : c == '"' ? "&quot;" : std::string(1, c);
  return result;
}

std::string script() {
  const char* source = std::getenv("STAGEDTRAIN_SOURCE");
  return read_text(std::filesystem::path(source ? source : ".") / "tests/support/page_check.js");
}

std::string harness(const std::string& html, const std::vector<int>& widths) {
  std::string page = "<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body>\n";
  for (const int width : widths)
    page += "<iframe style=\"border:0\" width=\"" + std::to_string(width) +
            "\" height=\"3000\" srcdoc=\"" + attribute(html) + "\"></iframe>\n";
  return page + "<script>" + script() + "</script></body></html>\n";
}

std::string unescaped(std::string text) {
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}})
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1))
      text.replace(at, from.size(), to);
  return text;
}

}  // namespace

std::vector<std::string> page_faults(const std::string& html, const std::vector<int>& widths,
                                     Scheme scheme) {
  const TempDir folder;
  write_text(folder / "page.html", harness(html, widths));
  const bool dark = scheme == Scheme::dark;
  const CommandResult result =
      run({.arguments = {"chromium", "--headless", "--no-sandbox", "--disable-gpu",
                         "--disable-dev-shm-usage", "--hide-scrollbars",
                         "--user-data-dir=" + (folder / "profile").string(),
                         std::string("--blink-settings=preferredColorScheme=") + (dark ? "0" : "1"),
                         "--window-size=1600,3000", "--dump-dom",
                         "file://" + (folder / "page.html").string()},
           .environment = {{"HOME", folder.path().string()}}});
  const std::string open = "<pre id=\"result\">";
  const std::size_t begin = result.out.find(open), end = result.out.find("</pre>");
  if (result.exit_code != 0 || begin == std::string::npos || end == std::string::npos)
    throw std::runtime_error("chromium measured nothing: " + result.err.substr(0, 2000));
  std::vector<std::string> lines =
      split(unescaped(result.out.substr(begin + open.size(), end - begin - open.size())), '\n');
  std::erase(lines, std::string(dark ? "dark true" : "dark false"));
  for (const int width : widths)
    std::erase(lines, "measured " + std::to_string(width) + ": figures");
  std::erase(lines, "");
  return lines;
}

bool has_browser() { return has_program("chromium", "chromium"); }

}  // namespace stagedtrain::test
