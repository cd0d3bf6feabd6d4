// Typed reading of one foreign JSON object that remembers which keys were asked for.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "base/strict_json.h"

namespace stagedtrain::hub {

// A key that is missing and one that is null are the same. Errors are Error(input) "where: key: ...".
class ConfigReader {
 public:
  // Throws Error(input) unless json is an object. json outlives the reader.
  ConfigReader(const SortedJson& json, std::string where);
  bool has(const char* key) const;
  std::int64_t count(const char* key);  // at least 1, and must be there
  std::int64_t count(const char* key, std::int64_t otherwise);
  double number(const char* key, double otherwise);
  bool flag(const char* key, bool otherwise);
  std::string text(const char* key, const std::string& otherwise);
  const SortedJson* object(const char* key);  // null if missing
  std::vector<std::string> texts(const char* key);  // a list; empty if missing
  // Refuses any other value; one that is missing stands for the first.
  void require(const char* key, std::initializer_list<SortedJson> allowed, const char* why);
  // Keys that say nothing about what the model computes.
  void ignore(std::initializer_list<const char*> keys);
  std::vector<std::string> unread() const;
  const std::string& where() const { return where_; }

 private:
  const SortedJson* find(const char* key);
  const SortedJson& json_;
  std::string where_;
  std::set<std::string> read_;
};

}  // namespace stagedtrain::hub
