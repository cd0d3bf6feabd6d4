// Compares two schedules key by key, with defaults filled in.
#include "schedule/differences.h"

#include "schedule/schedule.h"
#include "text/text.h"

namespace stagedtrain::schedule {
namespace {

constexpr std::size_t kLongest = 60, kMostNamed = 5;

std::string text_of(const Tree* tree) {
  if (!tree || tree->kind == Tree::Kind::none) return "none";
  Tree given = *tree;  // loses the keys without a value below
  std::erase_if(given.entries, [](const TreeEntry& entry) {
    return entry.value.kind == Tree::Kind::scalar && entry.value.text.empty();
  });
  const std::string line = to_yaml(Tree::list({given}));  // a map within a list is on one line
  const std::string text = line.substr(1, line.size() - 3);
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "...";
}

std::string whole_text(const Tree& tree) { return to_yaml(Tree::list({tree})); }

// Returns the name of an item of a list (a stage), or its number if it has no name.
std::string name_of(const Tree& item, std::size_t index) {
  const Tree* name = item.find("name");
  return name ? name->text : std::to_string(index);
}

std::string names_of(const Tree& list) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < list.items.size(); ++i) names.push_back(name_of(list.items[i], i));
  return join(names, ", ");
}

// Collects the keys in which two documents differ.
class Collector {
 public:
  std::vector<Difference> found;

  // Compares two values at `path`. A null pointer is a missing value.
  void compare(const Tree* here, const Tree* there, const std::string& path) {
    if (here && there && here->kind == there->kind && here->kind == Tree::Kind::map)
      return compare_maps(*here, *there, path);
    if (here && there && are_lists_of_maps(*here, *there))
      return compare_lists(*here, *there, path);
    const bool same = here && there && whole_text(*here) == whole_text(*there);
    if (!same && text_of(here) + text_of(there) != "nonenone")
      found.push_back({path, text_of(here), text_of(there)});
  }

 private:
  static bool are_lists_of_maps(const Tree& a, const Tree& b) {
    const auto is_one = [](const Tree& tree) {
      return tree.kind == Tree::Kind::list && !tree.items.empty() &&
             tree.items[0].kind == Tree::Kind::map;
    };
    return is_one(a) && is_one(b);
  }

  void compare_maps(const Tree& here, const Tree& there, const std::string& path) {
    const auto inner = [&](const std::string& key) {
      return path.empty() ? key : path + "." + key;
    };
    for (const TreeEntry& entry : here.entries)
      compare(&entry.value, there.find(entry.key), inner(entry.key));
    for (const TreeEntry& entry : there.entries)
      if (!here.find(entry.key)) compare(nullptr, &entry.value, inner(entry.key));
  }

  // Compares lists of maps, such as stages, item by item if they have the same names in the same
  // order. Otherwise reports only the lists' names.
  void compare_lists(const Tree& here, const Tree& there, const std::string& path) {
    if (here.items.size() != there.items.size() || names_of(here) != names_of(there)) {
      const bool named = here.items[0].find("name") && there.items[0].find("name");
      found.push_back({path, named ? names_of(here) : text_of(&here),
                       named ? names_of(there) : text_of(&there)});
      return;
    }
    for (std::size_t i = 0; i < here.items.size(); ++i)
      compare(&here.items[i], &there.items[i], path + "." + name_of(here.items[i], i));
  }
};

// Returns the schedule without the keys that do not affect training. Defaults are filled in, so a
// key that is newer than the run's schedule does not count as a difference.
Tree what_is_trained(const std::string& yaml, const char* name) {
  Tree tree = write_fields(parse(yaml, name));
  for (const char* key :
       {"evaluate", "sample", "checkpoint", "log", "guard", "machine", "plan", "scratch"})
    tree.erase(key);
  return tree;
}

constexpr std::string_view kStages = "stages.";

}  // namespace

std::string Difference::stage() const {
  if (!key.starts_with(kStages)) return "";
  const std::size_t end = key.find('.', kStages.size());
  return key.substr(kStages.size(), end - kStages.size());
}

std::string Difference::key_in_stage() const {
  const std::string name = stage();
  if (name.empty() || key.size() <= kStages.size() + name.size()) return key;
  return key.substr(kStages.size() + name.size() + 1);
}

bool Difference::is_length() const {
  const std::string inner = key_in_stage();
  return !stage().empty() && (inner == "for" || inner == "until" || inner.starts_with("until."));
}

bool Difference::is_model() const {
  const std::string inner = key_in_stage();
  return inner == "model" || inner.starts_with("model.");
}

std::vector<Difference> key_differences(const std::string& yaml_here,
                                        const std::string& yaml_there) {
  const Tree here = what_is_trained(yaml_here, "the schedule"),
             there = what_is_trained(yaml_there, "schedule.yaml");
  Collector collector;
  collector.compare(&here, &there, "");
  return collector.found;
}

std::string to_text(const std::vector<Difference>& differences) {
  std::vector<std::string> texts;
  for (const Difference& one : differences) {
    if (texts.size() == kMostNamed) break;
    texts.push_back(one.text());
  }
  const std::size_t more = differences.size() - texts.size();
  return join(texts, "; ") + (more > 0 ? fmt::format("; and {} more", more) : "");
}

}  // namespace stagedtrain::schedule
