// Compares what two logs record about their runs, key by key.
#include "compare/fairness.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "text/text.h"

namespace stagedtrain::report {
namespace {

using runlog::Run, runlog::Setting;

// Keys of the schedule that may differ. A key that ends with a dot stands for all keys below it.
constexpr std::array<std::string_view, 9> kMayDiffer{
    "batch.micro", "batch.recompute", "lr.rewarm", "budget.", "evaluate.every",
    "sample.",     "checkpoint.",     "log.",      "guard."};

bool may_differ(const std::string& key) {
  return std::ranges::any_of(kMayDiffer, [&](std::string_view allowed) {
    return allowed.ends_with('.') ? key.starts_with(allowed) : key == allowed;
  });
}

std::string differing(const std::string& key, const std::string& here, const std::string& there) {
  if (here.empty()) return fmt::format("{} is not in its log, and {} in the other", key, there);
  if (there.empty()) return fmt::format("{} is {}, and not in the other log", key, here);
  return fmt::format("{} is {}, not {}", key, here, there);
}

void compare_settings(const Run& run, const Run& reference, std::vector<std::string>& found) {
  if (run.settings.empty() || reference.settings.empty()) return;
  // Logs from before the optimizer could be chosen do not name it: it was AdamW.
  const auto value = [](const Run& of, const std::string& key) {
    const std::string found = of.setting(key);
    return found.empty() && key == "optimizer.name" ? "adamw" : found;
  };
  const auto add = [&](const std::string& key) {
    const std::string here = value(run, key), there = value(reference, key);
    if (here != there && !may_differ(key)) found.push_back(differing(key, here, there));
  };
  for (const Setting& setting : run.settings) add(setting.key);
  for (const Setting& setting : reference.settings)
    if (std::ranges::find(run.settings, setting.key, &Setting::key) == run.settings.end())
      add(setting.key);
}

std::string same_path(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

// Compares fingerprints if both logs have them, otherwise paths.
void compare_tokens(const char* what, const std::string& path, const std::string& fingerprint,
                    const std::string& other_path, const std::string& other_fingerprint,
                    std::vector<std::string>& found) {
  if (fingerprint.empty() || other_fingerprint.empty()) {
    if (same_path(path) != same_path(other_path))
      found.push_back(fmt::format("{} ({}, not {})", what, path, other_path));
  } else if (fingerprint != other_fingerprint) {
    found.push_back(fmt::format("{} ({} with fingerprint {}, not {} with {})", what, path,
                                fingerprint, other_path, other_fingerprint));
  }
}

}  // namespace

std::vector<std::string> differences(const Run& run, const Run& reference) {
  std::vector<std::string> found = differences_but_size(run, reference);
  if (!(run.final_model == reference.final_model))
    found.insert(found.begin(),
                 fmt::format("it has another model ({}, not {})", describe(run.final_model),
                             describe(reference.final_model)));
  return found;
}

std::vector<std::string> differences_but_size(const Run& run, const Run& reference) {
  std::vector<std::string> found;
  compare_tokens("it was trained on other data", run.train_data, run.train_fingerprint,
                 reference.train_data, reference.train_fingerprint, found);
  compare_tokens("it was scored on other validation data", run.validation_data,
                 run.validation_fingerprint, reference.validation_data,
                 reference.validation_fingerprint, found);
  if (run.curve != reference.curve)
    found.push_back(
        fmt::format("it has another learning-rate curve ({}, not {})", run.curve, reference.curve));
  compare_settings(run, reference, found);
  std::erase_if(found, [](const std::string& text) { return text.starts_with("lr.curve is "); });
  return found;
}

std::string unchecked(const Run& run, const Run& reference) {
  std::vector<std::string> what;
  if (run.settings.empty() || reference.settings.empty())
    what.push_back("learning rate, optimizer, batch, dropout and validation tokens");
  if (run.train_fingerprint.empty() || reference.train_fingerprint.empty())
    what.push_back("the contents of the token files");
  return join(what, ", and ");
}

}  // namespace stagedtrain::report
