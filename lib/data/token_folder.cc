// Explains which file in a folder was probably meant as a token file.
#include "data/token_folder.h"

#include "base/error.h"

namespace stagedtrain::data {

void refuse_folder_of_tokens(const Path& path) {
  std::error_code none;
  if (!std::filesystem::is_directory(path, none)) return;
  const auto has = [&](const char* name) { return std::filesystem::exists(path / name, none); };
  std::string hint = "make token files with: stagedtrain data TEXT --out DIR";
  if (has("train.bin"))
    hint = fmt::format("give {} for training or {} for validation", (path / "train.bin").string(),
                       (path / "validation.bin").string());
  else if (has("run.jsonl"))
    hint = fmt::format("this is the folder of a run; its token files are named in {}",
                       (path / "schedule.yaml").string());
  throw input_error("{}: is a folder, not a regular file; expected a token file", path.string())
      .with_hint(hint);
}

}  // namespace stagedtrain::data
