// The public loss curves and runs beside the repository, which not every checkout has.
#pragma once

#include <optional>
#include <string>

#include "support/catch.h"
#include "support/schedules.h"

namespace stagedtrain::test {

// ../shared/data/NAME from the source (or from the folder above it); says so if it is not there.
inline std::optional<std::filesystem::path> shared_data(const std::string& name) {
  for (const char* up : {"..", "../.."}) {
    const auto path = source_folder() / up / "shared/data" / name;
    if (std::filesystem::exists(path)) return path;
  }
  WARN("skipped: ../shared/data/" << name << " is not there");
  return std::nullopt;
}

}  // namespace stagedtrain::test
