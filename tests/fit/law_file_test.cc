// The law file: what is written is read back to the last digit, and nothing else is accepted.
#include "fit/law_file.h"

#include <cmath>
#include <limits>
#include <map>

#include "support/catch.h"
#include "support/errors.h"
#include "support/temp_dir.h"
#include "support/text_file.h"
#include "text/json.h"

using namespace stagedtrain;
using namespace stagedtrain::plan;
using test::contains;

namespace {

FittedLaws made_laws() {
  FittedCurve curve;
  curve.name = "runs/a:small";
  curve.model_parameters = std::numeric_limits<double>::quiet_NaN();
  curve.law = curve.low = curve.high = {2.1, 30.123456789012345, .47, -12};
  curve.samples = {curve.law, curve.law};
  curve.prefixes = {{.5, curve.law, -.01}};
  FittedChinchilla chinchilla;
  chinchilla.name = "ends.csv";
  chinchilla.law = chinchilla.low = chinchilla.high = {1.8, 400, 2000, .34, .36};
  return {{curve}, chinchilla, {"a note"}};
}

std::string refused(const Json& json) {
  return test::refusal(ErrorKind::input, [&] { laws_from_json(json, "l.json"); });
}

}  // namespace

TEST_CASE("a law file comes back as it was") {
  const test::TempDir folder;
  const FittedLaws laws = made_laws();
  write_law_file(laws, folder / "l.json", false);
  const FittedLaws back = read_law_file(folder / "l.json");
  CHECK(to_json(back) == to_json(laws));
  CHECK(back.curves[0].law.B == 30.123456789012345);
  CHECK(std::isnan(back.curves[0].model_parameters));
  CHECK(back.curves[0].prefixes[0].end_error == -.01);
  CHECK(back.chinchilla->law.a == .34);
  CHECK(back.notes == laws.notes);
}

TEST_CASE("a joint law comes back, files without one are read, and broken ones are refused") {
  FittedLaws laws = made_laws();
  CHECK_FALSE(laws_from_json(to_json(laws), "l.json").joint);
  Json old = to_json(laws);
  old.erase("joint");  // as older versions wrote it
  CHECK_NOTHROW(laws_from_json(old, "l.json"));
  FittedJoint& joint = laws.joint.emplace();
  joint.law = {.E = 1, .A = .5, .a = .34, .B = .6, .b = .4, .beta = .1, .C = 1e-4, .gamma = -.1,
               .x0 = -3, .size = 1e6, .tokens = 1e7};
  joint.low = joint.high = joint.law;
  joint.samples = {joint.law};
  joint.sizes = {{1e6, 1, 1e8}, {4e6, 2, 2e8}};
  joint.scatter = .0025;
  joint.freedom = 4;
  joint.decayed = true;
  joint.ends = {{{1e6, 1e8, .1}, -.01, {.02}}};
  const FittedJoint back = *laws_from_json(to_json(laws), "l.json").joint;
  REQUIRE(back.ends);
  CHECK(back.ends->at(0).shape.fall == .1);
  CHECK(back.ends->at(0).miss == -.01);
  CHECK(back.ends->at(0).misses == std::vector{.02});
  Json many = to_json(laws);
  for (int i = 0; i < 500; ++i) many["joint"]["ends"].push_back(many["joint"]["ends"][0]);
  CHECK(contains(refused(many), "found 501 ends, expected at most 500"));
  for (const auto& [key, value] : std::map<std::string, Json>{
           {"fall", 1.5}, {"tokens", 0}, {"miss", 2}, {"misses", Json::array({.1, .1})}}) {
    Json wrong = to_json(laws);
    wrong["joint"]["ends"][0][key] = value;
    CHECK(contains(refused(wrong), "l.json: joint: ends: found an end"));
  }
  CHECK(back.law.gamma == -.1);
  CHECK(back.sizes[1].runs == 2);
  CHECK(to_json(laws) == to_json(laws_from_json(to_json(laws), "l.json")));
  Json bad = to_json(laws);
  bad["joint"]["samples"][0]["B"] = nullptr;
  CHECK(contains(refused(bad),
                 "l.json: joint: samples: B: found null, expected a finite number above 0"));
  bad = to_json(laws);
  bad["joint"]["sizes"].erase(1);
  CHECK(contains(refused(bad), "l.json: joint: 1 sizes"));
}

TEST_CASE("a law file is not replaced silently") {
  const test::TempDir folder;
  write_law_file(made_laws(), folder / "l.json", false);
  test::refusal(ErrorKind::usage, [&] { write_law_file(made_laws(), folder / "l.json", false); });
  write_law_file(made_laws(), folder / "l.json", true);
}

TEST_CASE("a law file with anything wrong is refused with the place") {
  const Json good = to_json(made_laws());
  CHECK_NOTHROW(laws_from_json(good, "l.json"));
  Json bad = good;
  bad["curves"][0]["huberr"] = 1;
  CHECK(contains(refused(bad), "unknown 'huberr'; did you mean 'huber'?"));
  bad = good;
  bad["curves"][0].erase("noise");
  CHECK(contains(refused(bad), "'noise' is missing"));
  bad = good;
  bad["curves"][0]["parameters"]["b"] = "steep";
  CHECK(contains(refused(bad), "parameters: b: found string, expected a number"));
  bad = good;
  bad["curves"][0]["parameters"]["b"] = -1;
  CHECK(contains(refused(bad), "parameters: b: found -1.0, expected a finite number above 0"));
  bad = good;
  bad["chinchilla"]["parameters"]["A"] = nullptr;
  CHECK(contains(refused(bad), "parameters: A: found null, expected a finite number above 0"));
  bad = good;
  bad["recipe"] = {{"data", "1"}, {"tokens_per_step", -1}, {"peak_rate", 1e-3}};
  CHECK(contains(refused(bad), "recipe: found {\"data\":\"1\",\"tokens_per_step\":-1"));
  bad["recipe"] = {{"data", "1"}, {"tokens_per_step", 1}, {"peak_rate", 1e-3}, {"vocab", 1e-9}};
  CHECK(contains(refused(bad), "\"vocab\":1e-09"));
  bad = good;
  bad["version"] = 4;
  CHECK(contains(refused(bad), "version 4; expected 'stagedtrain laws', version 3"));
  CHECK(contains(refused(Json::array()), "found array, expected a JSON object"));
}

TEST_CASE("a law file that is no JSON is refused by name") {
  const test::TempDir folder;
  test::write_text(folder / "l.json", "{");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { read_law_file(folder / "l.json"); }),
                 "l.json"));
}
