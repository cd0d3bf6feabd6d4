// Reads and writes the cache files: JSON with a format, a version and one list of structs.
#pragma once

#include "cost/json_members.h"
#include "io/file.h"

namespace stagedtrain::plan {

struct CacheFormat {
  const char* name;
  int version;
  const char* key;   // key of the list
  const char* hint;  // hint of every refusal
};

// The items must have members() (cost/json_members.h).
template <class Item>
Json list_json(const std::vector<Item>& items) {
  Json list = Json::array();
  for (const Item& item : items) list.push_back(MemberWriter::of(item));
  return list;
}

// Returns nothing if path is empty or there is no such file. Throws Error(input) as MemberReader does.
template <class Item>
std::vector<Item> read_list(const Path& path, const CacheFormat& format) {
  std::vector<Item> items;
  std::error_code none;
  if (path.empty() || !std::filesystem::exists(path, none)) return items;
  const Json json = parse_json(read_text_file(path, 1 << 26), path.string());
  MemberReader reader(json, path.string(), format.hint);
  reader.expect_format(format.name, format.version);
  reader(format.key, items);
  reader.refuse_others();
  return items;
}

// Replaces the file atomically, and makes its folder. Throws Error(resource).
template <class Item>
void write_list(const Path& path, const CacheFormat& format, const std::vector<Item>& items) {
  if (path.has_parent_path()) make_folders(path.parent_path());
  Json json = {{"format", format.name}, {"version", format.version}};
  json[format.key] = list_json(items);
  write_file_atomically(path, json_text(json, 1) + "\n");
}

}  // namespace stagedtrain::plan
