// One list of fields per options struct serves reading, validation, dumping and documentation.
//
// A struct has fields if it defines
//   template <class V> void fields(V& v)
// which calls v("key", member, FieldInfo{...}) once for each member, in the order of the
// documentation. Members may be bool, int64, double, string, Duration, enums with EnumNames,
// structs with fields, and optional<> or vector<> of these.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "text/text.h"
#include "text/tree.h"
#include "text/units.h"

namespace stagedtrain {

// What a field accepts and means. Numbers outside [min, max] are refused, min itself if above_min
// is set, and max itself if below_max is set. `shape` replaces the type's name in the
// documentation.
struct FieldInfo {
  const char* doc = "";
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool above_min = false, below_max = false;
  bool required = false;
  std::vector<std::string> choices = {};  // for text: the accepted words
  const char* shape = "";
};

// Specialise with   static constexpr std::array names{...}   in the order of the enumerators.
template <class E>
struct EnumNames;

template <class E>
std::string enum_name(E value) {
  return EnumNames<E>::names[static_cast<std::size_t>(value)];
}
template <class E>
std::vector<std::string> enum_choices() {
  return {EnumNames<E>::names.begin(), EnumNames<E>::names.end()};
}

struct NoVisitor {
  template <class T>
  void operator()(const char*, T&, const FieldInfo&) {}
};
template <class T>
concept HasFields = requires(T& value, NoVisitor& v) {
  value.fields(v);
};
// A struct whose kShorthand names one of its fields may be given as that field's value alone:
// keep: 3 instead of keep: {last: 3}.
template <class T>
concept HasShorthand = HasFields<T> && requires {
  T::kShorthand;
};
template <class T>
struct ElementOf;
template <class T>
struct ElementOf<std::optional<T>> {
  using type = T;
};
template <class T>
struct ElementOf<std::vector<T>> {
  using type = T;
};
template <class T>
concept IsOptional = std::same_as<T, std::optional<typename ElementOf<T>::type>>;
template <class T>
concept IsVector = std::same_as<T, std::vector<typename ElementOf<T>::type>>;

// Each of these reads a scalar, and throws Error(usage) that says what was expected.
bool read_bool(const Tree& tree);
std::int64_t read_count(const Tree& tree, const FieldInfo& info);
double read_number(const Tree& tree, const FieldInfo& info);
std::string read_word(const Tree& tree, const std::vector<std::string>& choices);
Duration read_duration(const Tree& tree);
void refuse_unknown_keys(const Tree& tree, const std::vector<std::string>& known,
                         const std::string& where);
const Tree& expect_map(const Tree& tree, const std::string& where);

template <class T>
void read_value(const Tree& tree, T& value, const FieldInfo& info, const std::string& path);

// Reads a map into a struct. Members whose key is absent keep their value.
class FieldReader {
 public:
  FieldReader(const Tree& tree, std::string path)
      : tree_(expect_map(tree, path)), path_(std::move(path)) {}
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    known_.push_back(key);
    const Tree* found = tree_.find(key);
    const std::string path = path_.empty() ? key : path_ + "." + key;
    if (found) {
      read_value(*found, value, info, path);
    } else if (info.required) {
      missing_.push_back(key);
    }
  }
  // Refuses unknown keys, then missing ones: a misspelt key explains a missing one.
  void finish(const std::vector<std::string>& also_known = {}) const;

 private:
  const Tree& tree_;
  std::string path_;
  std::vector<std::string> known_, missing_;
};

template <HasFields T>
void read_fields(const Tree& tree, T& value, const std::string& path,
                 const std::vector<std::string>& also_known = {}) {
  FieldReader reader(tree, path);
  value.fields(reader);
  reader.finish(also_known);
}

template <class T>
void read_scalar(const Tree& tree, T& value, const FieldInfo& info) {
  if constexpr (std::same_as<T, bool>) {
    value = read_bool(tree);
  } else if constexpr (std::is_enum_v<T>) {
    const std::string word = read_word(tree, enum_choices<T>());
    for (std::size_t i = 0; i < EnumNames<T>::names.size(); ++i)
      if (word == EnumNames<T>::names[i]) value = static_cast<T>(i);
  } else if constexpr (std::integral<T>) {
    value = static_cast<T>(read_count(tree, info));
  } else if constexpr (std::floating_point<T>) {
    value = read_number(tree, info);
  } else if constexpr (std::same_as<T, Duration>) {
    value = read_duration(tree);
  } else {
    static_assert(std::same_as<T, std::string>);
    value = read_word(tree, info.choices);
  }
}

template <class T>
void read_value(const Tree& tree, T& value, const FieldInfo& info, const std::string& path) {
  if constexpr (IsOptional<T>) {
    if (tree.kind == Tree::Kind::none) {
      value.reset();
      return;
    }
    typename ElementOf<T>::type inner{};
    if (value) inner = *value;
    read_value(tree, inner, info, path);
    value = std::move(inner);
  } else if constexpr (IsVector<T>) {
    if (tree.kind != Tree::Kind::list)
      throw tree.error("{}: found {}, expected a list [...]", path, tree.describe());
    value.clear();
    for (std::size_t i = 0; i < tree.items.size(); ++i)
      read_value(tree.items[i], value.emplace_back(), info, path + "." + std::to_string(i));
  } else if constexpr (std::same_as<T, Tree>) {
    value = tree;
  } else if constexpr (HasFields<T>) {
    if constexpr (HasShorthand<T>) {
      if (tree.kind == Tree::Kind::scalar) {
        Tree map = Tree::map();
        map.set(T::kShorthand, tree);
        return read_fields(map, value, path);
      }
    }
    read_fields(tree, value, path);
  } else {
    at_place(tree, path, [&] { read_scalar(tree, value, info); });
  }
}

// Writes a struct as a tree of all its values. Absent optionals and empty lists are left out.
class FieldWriter {
 public:
  Tree tree = Tree::map();
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo&) {
    Tree written = write(value);
    if (written.kind != Tree::Kind::none) tree.set(key, std::move(written));
  }

  template <class T>
  static Tree write(T& value) {
    if constexpr (IsOptional<T>) {
      return value ? write(*value) : Tree{};
    } else if constexpr (IsVector<T>) {
      if (value.empty()) return Tree{};
      std::vector<Tree> items;
      for (auto& item : value) items.push_back(write(item));
      return Tree::list(std::move(items));
    } else if constexpr (std::same_as<T, Tree>) {
      return value;
    } else if constexpr (HasFields<T>) {
      FieldWriter inner;
      value.fields(inner);
      return inner.tree;
    } else if constexpr (std::same_as<T, bool>) {
      return Tree::scalar(value ? "true" : "false");
    } else if constexpr (std::is_enum_v<T>) {
      return Tree::scalar(enum_name(value));
    } else if constexpr (std::integral<T>) {
      return Tree::scalar(std::to_string(value));
    } else if constexpr (std::floating_point<T>) {
      return Tree::scalar(format_number(value));
    } else if constexpr (std::same_as<T, Duration>) {
      return Tree::scalar(to_string(value));
    } else {
      return Tree::scalar(value);
    }
  }
};

template <HasFields T>
Tree write_fields(T value) {
  return FieldWriter::write(value);
}

// One row of the generated reference.
struct FieldRow {
  std::string path, type, fallback, doc;
};

// Collects one row for each member of a struct. Rows of a nested struct follow its own row.
class FieldDocumenter {
 public:
  explicit FieldDocumenter(std::string path = "") : path_(std::move(path)) {}
  std::vector<FieldRow> rows;

  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    const std::string path = path_.empty() ? key : path_ + "." + key;
    Tree written = FieldWriter::write(value);
    const bool nested = written.kind == Tree::Kind::map;
    rows.push_back({path, type_name<T>(info),
                    info.required ? "required"
                    : nested      ? ""
                                  : default_text(written),
                    info.doc});
    if constexpr (HasFields<T>) {
      document_inner(path, value);
    } else {
      document<T>(path);
    }
  }

 private:
  static std::string default_text(const Tree& tree);
  static std::string range_text(const FieldInfo& info);
  template <class T>
  void document(const std::string& path) {
    if constexpr (IsOptional<T>) {
      document<typename ElementOf<T>::type>(path);
    } else if constexpr (IsVector<T>) {
      document<typename ElementOf<T>::type>(path + "[]");
    } else if constexpr (HasFields<T>) {
      T value{};
      document_inner(path, value);
    }
  }
  // Uses the defaults that this value has as a member, not those of its type.
  template <class T>
  void document_inner(const std::string& path, T& value) {
    FieldDocumenter inner(path);
    value.fields(inner);
    rows.insert(rows.end(), inner.rows.begin(), inner.rows.end());
  }
  template <class T>
  static std::string type_name(const FieldInfo& info) {
    if (*info.shape) return info.shape;
    if constexpr (IsOptional<T>) {
      return type_name<typename ElementOf<T>::type>(info);
    } else if constexpr (IsVector<T>) {
      return "list of " + type_name<typename ElementOf<T>::type>(info);
    } else if constexpr (std::same_as<T, Tree> || HasFields<T>) {
      return "map";
    } else if constexpr (std::same_as<T, bool>) {
      return "true, false";
    } else if constexpr (std::is_enum_v<T>) {
      return join(enum_choices<T>(), ", ");
    } else if constexpr (std::integral<T>) {
      return "count" + range_text(info);
    } else if constexpr (std::floating_point<T>) {
      return "number" + range_text(info);
    } else if constexpr (std::same_as<T, Duration>) {
      return "duration";
    } else {
      return info.choices.empty() ? "text" : join(info.choices, ", ");
    }
  }
  std::string path_;
};

template <HasFields T>
std::vector<FieldRow> document_fields(const std::string& path = "") {
  T value{};
  FieldDocumenter documenter(path);
  value.fields(documenter);
  return documenter.rows;
}

}  // namespace stagedtrain
