// The table of operators, and lists of them as one recipe.
#include <set>

#include "grow/grow_support.h"
#include "support/errors.h"
#include "support/text_file.h"

using namespace stagedtrain;
using test::contains;

TEST_CASE("the table names, explains and documents every operator once") {
  std::set<std::string> names;
  for (const grow::OperatorEntry& entry : grow::operators()) {
    CAPTURE(entry.name);
    CHECK(names.insert(entry.name).second);
    CHECK(&grow::find_operator(entry.name) == &entry);
    for (const char* text : {entry.grows, entry.exact, entry.source, entry.help})
      CHECK_FALSE(std::string(text).empty());
    CHECK_FALSE(entry.document().empty());
    for (const FieldRow& row : entry.document()) {
      CHECK_FALSE(row.doc.empty());
      CHECK(row.path != "operator");
    }
  }
  CHECK(names.contains("width"));
  CHECK(names.contains("depth"));
}

TEST_CASE("lists that are not lists of operators are refused at their place") {
  const auto says = [](const std::string& list) {
    return test::refusal(ErrorKind::usage, [&] { test::recipe_of(list); });
  };
  CHECK(contains(says("[{operator: width}, {operator: dept, layers: 4}]"),
                 "s.yaml:1:32: grow.1: unknown operator 'dept'; did you mean 'depth'?"));
  CHECK(contains(says("[{factor: 2}]"), "s.yaml:1:2: grow.0: key 'operator' is missing"));
  CHECK(contains(says("[width]"), "grow.0: found 'width', expected keys and values"));
  CHECK(contains(says("{operator: width}"), "grow: found a map, expected a list of operators"));
  CHECK(contains(says("[]"), "expected a list of operators"));
  CHECK(contains(says("[{operator: width}, {operator: depth, layers: 1}]"),
                 "s.yaml:1:32: grow.1: depth to 1 layers: the source has 2"));
}

TEST_CASE("a list without a place is refused without one") {
  const Tree list = schedule::parse_yaml("[{operator: depth, layers: 1}]", "s.yaml");
  const auto recipe = [&] { grow::make_recipe(list, test::tiny_model(), ""); };
  CHECK(contains(test::refusal(ErrorKind::usage, recipe), "s.yaml:1:13: depth to 1 layers"));
}

TEST_CASE("the words of a recipe make the same recipe again") {
  const char* list = GENERATE("[{operator: width}]", "[{operator: depth, factor: 2}]",
                              "[{operator: depth, layers: 5, order: append}, {operator: width, "
                              "factor: 3, symmetry: {noise: 0.125, seed: 9}}]");
  const auto recipe = test::recipe_of(list),
             again = test::recipe_of("[" + recipe.operators() + "]");
  CHECK(again.operators() == recipe.operators());
  REQUIRE(again.steps.size() == recipe.steps.size());
  for (std::size_t s = 0; s < recipe.steps.size(); ++s)
    for (std::size_t i = 0; i < recipe.steps[s].tensors.size(); ++i) {
      CHECK(again.steps[s].tensors[i].value == recipe.steps[s].tensors[i].value);
      CHECK(again.steps[s].tensors[i].gradient == recipe.steps[s].tensors[i].gradient);
    }
}
