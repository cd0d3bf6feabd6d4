// One list of fields: read, refused, written and documented.
#include "text/fields.h"

#include <array>

#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"

namespace {

enum class Shape { round, square };

struct Inner {
  std::int64_t size = 4;
  double share = 0.5, kept = 0.5;
  template <class V>
  void fields(V& v) {
    v("size", size, {.doc = "how many", .min = 1, .max = 100});
    v("share", share, {.doc = "how much", .min = 0, .max = 1, .above_min = true});
    v("kept", kept, {.doc = "how much stays", .min = 0, .max = 1, .below_max = true});
  }
};

struct Options {
  std::string name, word = "a";
  bool on = false;
  Shape shape = Shape::round;
  stagedtrain::Duration time{5, stagedtrain::DurationUnit::steps};
  Inner inner;
  std::optional<std::int64_t> maybe;
  std::vector<double> numbers;
  std::vector<Inner> parts;
  template <class V>
  void fields(V& v) {
    v("name", name, {.doc = "its name", .required = true});
    v("word", word, {.doc = "one of two", .choices = {"a", "b"}});
    v("on", on, {.doc = "a switch"});
    v("shape", shape, {.doc = "its shape"});
    v("time", time, {.doc = "how long"});
    v("inner", inner, {.doc = "a part"});
    v("maybe", maybe, {.doc = "perhaps"});
    v("numbers", numbers, {.doc = "many", .min = 0});
    v("parts", parts, {.doc = "many parts"});
  }
};

}  // namespace

template <>
struct stagedtrain::EnumNames<Shape> {
  static constexpr std::array names{"round", "square"};
};

using namespace stagedtrain;

namespace {

Tree map_of(const std::string& key, Tree value, bool named = true) {
  Tree tree = Tree::map();
  if (named) tree.set("name", Tree::scalar("n"));
  tree.set(key, std::move(value));
  return tree;
}

std::string refused(const Tree& tree) {
  Options options;
  return test::refusal(ErrorKind::usage, [&] { read_fields(tree, options, ""); });
}

}  // namespace

TEST_CASE("fields are read from a tree and the others keep their values") {
  Tree inner = Tree::map();
  inner.set("size", Tree::scalar("64"));
  Tree tree = map_of("inner", inner);
  tree.set("shape", Tree::scalar("square"));
  tree.set("on", Tree::scalar("true"));
  tree.set("time", Tree::scalar("20%"));
  tree.set("maybe", Tree::scalar("1K"));
  tree.set("numbers", Tree::list({Tree::scalar("1"), Tree::scalar("2.5")}));
  tree.set("parts", Tree::list({inner, Tree::map()}));
  Options options;
  read_fields(tree, options, "");
  CHECK(options.name == "n");
  CHECK(options.word == "a");
  CHECK(options.on);
  CHECK(options.shape == Shape::square);
  CHECK(options.time == Duration{20, DurationUnit::percent});
  CHECK(options.inner.size == 64);
  CHECK(options.inner.share == 0.5);
  CHECK(options.maybe == 1000);
  CHECK(options.numbers == std::vector<double>{1, 2.5});
  REQUIRE(options.parts.size() == 2);
  CHECK(options.parts[0].size == 64);
  CHECK(options.parts[1].size == 4);
}

TEST_CASE("a wrong value is refused with its path, what was found and what was expected") {
  const auto [key, text, says] = GENERATE(table<std::string, std::string, std::string>({
      {"on", "yes", "expected true or false"},
      {"shape", "sqare", "did you mean 'square'"},
      {"word", "zzzzzz", "expected one of a, b"},
      {"time", "5 stepps", "did you mean 'steps'"},
      {"maybe", "2.5", "expected a whole number"},
      {"maybe", "many", "found 'many'"},
      {"numbers", "3", "expected a list"},
      {"inner", "3", "expected keys and values"},
      {"nmae", "x", "did you mean 'name'"},
  }));
  const std::string message = refused(map_of(key, Tree::scalar(text)));
  INFO(message);
  CHECK(test::contains(message, key));
  CHECK(test::contains(message, says));
}

TEST_CASE("numbers out of range are refused, bounds included or not as declared") {
  const auto inner = [](const char* key, const char* text) {
    return map_of("inner", map_of(key, Tree::scalar(text), false));
  };
  CHECK(
      test::contains(refused(inner("size", "0")), "inner.size: found '0', expected from 1 to 100"));
  CHECK(test::contains(refused(inner("size", "101")), "from 1 to 100"));
  CHECK(test::contains(refused(inner("share", "0")), "above 0, at most 1"));
  CHECK(test::contains(refused(inner("kept", "1")), "found '1', expected at least 0, below 1"));
  CHECK(test::contains(refused(map_of("numbers", Tree::list({Tree::scalar("-1")}))),
                       "numbers.0: found '-1', expected at least 0"));
  Options options;
  CHECK_NOTHROW(read_fields(inner("share", "1"), options, ""));
  CHECK_NOTHROW(read_fields(inner("kept", "0"), options, ""));
}

TEST_CASE("quoted text is not a number or a truth value") {
  Tree quoted = Tree::scalar("5");
  quoted.quoted = true;
  CHECK(test::contains(refused(map_of("maybe", quoted)), "whole number"));
  quoted.text = "true";
  CHECK(test::contains(refused(map_of("on", quoted)), "true or false"));
}

TEST_CASE("a missing key that is required is refused, a misspelt one explained first") {
  CHECK(test::contains(refused(Tree::map()), "key 'name' is missing"));
  CHECK(test::contains(refused(map_of("nam", Tree::scalar("x"), false)),
                       "unknown key 'nam'; did you mean 'name'?"));
}

TEST_CASE("written fields read back as the same values") {
  Options options;
  options.name = "n";
  options.shape = Shape::square;
  options.maybe = 7;
  options.numbers = {0.25, 3};
  options.parts.resize(2);
  options.parts[1].share = 1.0 / 3.0;
  const Tree tree = write_fields(options);
  Options again;
  read_fields(tree, again, "");
  CHECK(to_yaml(write_fields(again)) == to_yaml(tree));
  CHECK(again.parts[1].share == 1.0 / 3.0);
  CHECK(again.maybe == 7);
  CHECK(write_fields(Options{}).find("maybe") == nullptr);
}

TEST_CASE("the documentation has a row for every field, nested ones too") {
  const auto rows = document_fields<Options>();
  const auto row = [&](const std::string& path) {
    for (const FieldRow& r : rows)
      if (r.path == path) return r;
    return FieldRow{};
  };
  CHECK(row("name").fallback == "required");
  CHECK(row("word").type == "a, b");
  CHECK(row("shape").type == "round, square");
  CHECK(row("shape").fallback == "round");
  CHECK(row("time").fallback == "5 steps");
  CHECK(row("inner.size").type == "count, from 1 to 100");
  CHECK(row("inner.size").fallback == "4");
  CHECK(row("inner.share").type == "number, above 0, at most 1");
  CHECK(row("maybe").fallback == "none");
  CHECK(row("parts[].size").doc == "how many");
  CHECK(row("numbers").type == "list of number, at least 0");
}

TEST_CASE("a number too large for a count says the limit") {
  for (const char* text : {"4611686018427387904", "1e300"}) {
    const std::string said =
        test::refusal(ErrorKind::usage, [&] { read_count(Tree::scalar(text), {}); });
    INFO(said);
    CHECK(test::contains(said, "at most 2^53"));
  }
}
