// Expands folders by walking them, and patterns with glob(3).
#include "prepare/input_names.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"

namespace stagedtrain::data {
namespace {

namespace fs = std::filesystem;

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<std::string> files_of_folder(const std::string& folder) try {
  std::vector<std::string> files;
  const auto end = fs::recursive_directory_iterator();
  for (auto entry = fs::recursive_directory_iterator(folder); entry != end; ++entry) {
    if (is_hidden(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file()) {
      files.push_back(entry->path().string());
    }
  }
  if (files.empty())
    throw input_error("{}: is a folder without files, expected files that hold text", folder);
  std::sort(files.begin(), files.end());
  return files;
} catch (const fs::filesystem_error& error) {
  throw input_error("{}: cannot read the folder: {}", folder, error.code().message());
}

std::vector<std::string> files_of_pattern(const std::string& pattern) {
  glob_t found{};
  const int code = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
  std::vector<std::string> files(found.gl_pathv, found.gl_pathv + (code == 0 ? found.gl_pathc : 0));
  ::globfree(&found);
  if (files.empty())
    throw input_error("{}: matches no file", pattern)
        .with_hint("see what the pattern matches with: ls " + pattern);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<std::string> expand_inputs(const std::vector<std::string>& names) {
  std::vector<std::string> files;
  for (const std::string& name : names) {
    std::error_code ignored;
    std::vector<std::string> found = {name};
    if (name != "-" && name.find_first_of("*?[") != std::string::npos && !fs::exists(name, ignored))
      found = files_of_pattern(name);
    for (const std::string& each : found) {
      if (each != "-" && fs::is_directory(each, ignored)) {
        const std::vector<std::string> inside = files_of_folder(each);
        files.insert(files.end(), inside.begin(), inside.end());
      } else {
        files.push_back(each);
      }
    }
  }
  return files;
}

}  // namespace stagedtrain::data
