// How is a foreign JSON object read with types, while remembering which keys were read?
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "text/strict_json.h"

namespace stagedtrain::hub {

// Treats a null value like a missing key. Errors are Error(input), with a message that starts with
// `where` and names the key.
class ConfigReader {
 public:
  // Throws Error(input) unless json is an object. json must outlive the reader.
  ConfigReader(const SortedJson& json, std::string where);
  bool has(const char* key) const;
  std::int64_t count(const char* key);  // required; at least 1
  std::int64_t count(const char* key, std::int64_t otherwise);
  double number(const char* key, double otherwise);
  bool flag(const char* key, bool otherwise);
  std::string text(const char* key, const std::string& otherwise);
  const SortedJson* object(const char* key);        // null if missing
  std::vector<std::string> texts(const char* key);  // a list of strings; empty if missing
  // Throws unless the value is one of `allowed`. A missing key passes.
  void require(const char* key, std::initializer_list<SortedJson> allowed, const char* why);
  // Marks keys as read that do not change what the model computes.
  void ignore(std::initializer_list<const char*> keys);
  // Returns the keys that were neither read nor ignored.
  std::vector<std::string> unread() const;
  const std::string& where() const { return where_; }

 private:
  const SortedJson* find(const char* key);
  const SortedJson& json_;
  std::string where_;
  std::set<std::string> read_;
};

}  // namespace stagedtrain::hub
