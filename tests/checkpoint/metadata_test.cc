// Metadata: every value comes back to the last bit, and nothing that is not metadata is taken.
#include "checkpoint/metadata.h"

#include <cmath>
#include <limits>

#include "arch/architectures.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/text_file.h"
#include "support/tiny_state.h"
#include "text/json.h"

using namespace stagedtrain;
using state::metadata_json;
using state::parse_metadata;
using test::contains;

namespace {

state::StateHeader header() { return state::header_of(test::tiny_state()); }

// The same with another model.
state::StateHeader of_model(const arch::ModelConfig& model) {
  state::StateHeader written = header();
  written.model = arch::resolved(model);
  written.histories.assign(arch::param_table(written.model).size(), {});
  return written;
}

state::StateHeader back(const state::StateHeader& written) {
  return parse_metadata(metadata_json(written).dump()).header;
}

// Changes the metadata of a state and says why it is refused.
template <class Change>
std::string refused(Change change) {
  Json json = metadata_json(header());
  change(json);
  const std::string says = test::refusal(ErrorKind::input, [&] { parse_metadata(json.dump()); });
  UNSCOPED_INFO(says);
  return says;
}

}  // namespace

TEST_CASE("metadata comes back as it was, but for what is stored elsewhere") {
  const state::StateHeader written = header(), read = back(written);
  CHECK(read.model == written.model);
  CHECK(read.dtype == written.dtype);
  CHECK(read.progress == written.progress);
  CHECK(std::signbit(read.progress.loss_mean));
  CHECK(read.data == written.data);
  CHECK(read.seed == written.seed);
  CHECK(read.lineage == written.lineage);
  CHECK(read.run.schedule == written.run.schedule);
  CHECK(read.run.tokenizer == "dataset");  // its bytes lie beside the metadata
  CHECK(read.histories.empty());           // its reader needs the table
}

TEST_CASE("equal headers are written as equal texts") {
  CHECK(metadata_json(header()).dump() == metadata_json(header()).dump());
}

TEST_CASE("doubles that JSON does not have are written as text") {
  state::StateHeader written = header();
  written.progress.loss_mean = std::numeric_limits<double>::quiet_NaN();
  written.progress.loss_var = HUGE_VAL;
  written.progress.norm_mean = -HUGE_VAL;
  const Json json = metadata_json(written);
  CHECK(json["progress"]["loss_mean"] == "nan");
  CHECK(json["progress"]["loss_var"] == "inf");
  CHECK(json["progress"]["norm_mean"] == "-inf");
  const auto read = parse_metadata(json.dump()).header.progress;
  CHECK(std::isnan(read.loss_mean));
  CHECK(read.loss_var == HUGE_VAL);
  CHECK(read.norm_mean == -HUGE_VAL);
}

TEST_CASE("text that is not UTF-8 is written as hex") {
  state::StateHeader written = header();
  written.run.data_path = std::string("a\xff\0b", 4);
  const Json json = metadata_json(written);
  CHECK(json["run"]["data_path"] == Json{{"hex", "61ff0062"}});
  CHECK(parse_metadata(json.dump()).header.run.data_path == written.run.data_path);
  CHECK(contains(refused([](Json& j) {
                   j["run"]["data_path"] = {{"hex", "6"}};
                 }),
                 "run.data_path: found invalid hex digits at 0"));
  CHECK(contains(refused([](Json& j) { j["run"]["data_path"] = {{"hex", "61zz"}}; }), "at 2"));
}

TEST_CASE("a selection of data comes back to the last bit, and is checked") {
  state::StateHeader written = header();
  CHECK_FALSE(metadata_json(written)["data"].contains("selection"));
  written.data.selection = state::WindowSelection{16, 3, 5, 100, 2, {}};
  // Zeros are UTF-8, the bytes of .3f are not.
  for (const auto& gains : {std::vector<float>{0, 0, 0}, std::vector<float>{.3f, 2, 1e-30f}}) {
    written.data.selection->gains.assign(reinterpret_cast<const char*>(gains.data()), 12);
    CHECK(written.data.selection->windows() == 3);
    CHECK(back(written).data == written.data);
  }
  const auto refusal = [&](const auto& change) {
    state::StateHeader bad = written;
    change(*bad.data.selection);
    const std::string text = metadata_json(bad).dump();
    return test::refusal(ErrorKind::input, [&] { parse_metadata(text); });
  };
  using Selection = state::WindowSelection;
  CHECK(contains(refusal([](Selection& s) { s.gains.pop_back(); }), "gains: found 11 bytes"));
  CHECK(contains(refusal([](Selection& s) { s.gains.clear(); }), "gains: found 0 bytes"));
  CHECK(contains(refusal([](Selection& s) { s.gains.replace(4, 4, "\xff\xff\xff\x7f", 4); }),
                 "for window 1, expected a finite number of at least 0"));
  CHECK(contains(refusal([](Selection& s) { s.gains[3] = '\xbf'; }), "for window 0"));
  CHECK(contains(refusal([](Selection& s) { s.first_index = 193; }),
                 "first_index: found 193, expected at most data.index, 192"));
  Json json = metadata_json(written);
  json["data"]["selection"].erase("step");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { parse_metadata(json.dump()); }),
                 "data.selection.step: is missing"));
}

TEST_CASE("histories are listed by name where a tensor has one") {
  const auto table = arch::param_table(test::tiny_model());
  state::StateHeader written = header();
  written.histories[4].age = {9, 20};
  const Json json = parse_json(metadata_json(written)["histories"].dump(), "test");
  CHECK(json.size() == 3);
  CHECK(json[table[0].name]["age"]["start"] == 3);
  CHECK(state::parse_histories(json, table, 9) == written.histories);
  const auto refusal = [&](const Json& bad) {
    return test::refusal(ErrorKind::input, [&] { state::parse_histories(bad, table, 9); });
  };
  CHECK(contains(refusal(Json{{"nobody", 3}}), "the model has no tensor 'nobody'"));
  CHECK(contains(refusal(Json{{table[0].name, -3}}), "histories." + table[0].name));
  refusal(Json::array());
  CHECK(contains(test::refusal(ErrorKind::input, [&] { state::parse_histories(json, table, 8); }),
                 "age.start: found 9, expected at most the state's step, 8"));
  Json bad = json;
  bad[table[4].name]["lr_scale"] = 0;
  CHECK(contains(refusal(bad), "lr_scale"));
}

TEST_CASE("every missing and every unknown key is refused by its name") {
  const Json json = metadata_json(header());
  for (const auto& entry : json.items()) {
    const std::string key = entry.key();
    CHECK(contains(refused([&](Json& j) { j.erase(key); }), key + ": is missing"));
    if (!entry.value().is_object() || key == "histories") continue;
    for (const auto& inner : entry.value().items()) {
      const std::string path = key + "." + inner.key();
      CHECK(contains(refused([&](Json& j) { j[key].erase(inner.key()); }), path + ": is missing"));
      CHECK(contains(refused([&](Json& j) { j[key][inner.key()] = Json::array({1}); }),
                     path + ": found [1], expected"));
    }
    CHECK(contains(refused([&](Json& j) { j[key]["extra"] = 1; }), key + ".extra: unknown key"));
  }
  CHECK(contains(refused([](Json& j) { j["extra"] = 1; }), "extra: unknown key"));
  CHECK(contains(refused([](Json& j) { j["lineage"][0]["extra"] = 1; }),
                 "lineage.0.extra: unknown key"));
}

TEST_CASE("a llama with experts comes back whole") {
  const state::StateHeader written = of_model({.architecture = "llama",
                                               .layers = 1,
                                               .width = 8,
                                               .heads = 4,
                                               .kv_heads = 2,
                                               .vocab = 5,
                                               .context = 4,
                                               .rope_theta = 5e5,
                                               .logit_scale = 0.125,
                                               .experts = 3,
                                               .experts_per_token = 1,
                                               .router_loss = 0.3,
                                               .parameterization = {4, 2, 6}});
  CHECK(back(written).model == written.model);
}

TEST_CASE("keys of looped cores are in files of such models alone, and all of them") {
  CHECK_FALSE(metadata_json(header())["model"].contains("passes"));
  const state::StateHeader written = of_model({.layers = 3,
                                               .width = 8,
                                               .heads = 2,
                                               .vocab = 5,
                                               .context = 4,
                                               .core = 2,
                                               .prelude = 1,
                                               .passes = 4,
                                               .boundary_alpha = 0.1});
  CHECK(back(written).model == written.model);
  Json json = metadata_json(written);
  json["model"].erase("passes");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { parse_metadata(json.dump()); }),
                 "model.passes: is missing"));
  CHECK(contains(refused([](Json& j) { j["model"]["passes"] = 2; }), "model.passes: unknown key"));
}

TEST_CASE("keys of routed layers are in files of such models alone, and all of them") {
  CHECK_FALSE(metadata_json(header())["model"].contains("routed_share"));
  const state::StateHeader written = of_model({.layers = 3,
                                               .width = 8,
                                               .heads = 2,
                                               .vocab = 5,
                                               .context = 4,
                                               .routed_every = 2,
                                               .routed_share = 0.3,
                                               .routed_labels = "similarity",
                                               .routed_loss = 0.2,
                                               .routed_base = 2,
                                               .routed_gain = 0.05});
  CHECK(back(written).model == written.model);
  Json json = metadata_json(written);
  json["model"].erase("routed_gain");
  CHECK(contains(test::refusal(ErrorKind::input, [&] { parse_metadata(json.dump()); }),
                 "model.routed_gain: is missing"));
  json["model"]["routed_gain"] = 1;
  json["model"]["routed_labels"] = "none";
  CHECK(contains(test::refusal(ErrorKind::input, [&] { parse_metadata(json.dump()); }),
                 "model.routed_labels is 'none'"));
  CHECK(contains(refused([](Json& j) { j["model"]["routed_loss"] = 2; }),
                 "model.routed_loss: unknown key"));
}

TEST_CASE("wrong types and values out of range are refused with what was expected") {
  CHECK(contains(refused([](Json& j) { j["progress"]["step"] = -1; }),
                 "progress.step: found -1, expected a whole number of at least 0"));
  CHECK(contains(refused([](Json& j) { j["progress"]["step"] = 1.5; }), "progress.step"));
  CHECK(contains(refused([](Json& j) { j["progress"]["step"] = ~std::uint64_t{0}; }),
                 "progress.step"));
  CHECK(contains(refused([](Json& j) { j["progress"]["flops"] = "many"; }),
                 "progress.flops: found \"many\", expected a number"));
  CHECK(contains(refused([](Json& j) { j["dtype"] = "float16"; }),
                 "dtype: found \"float16\", expected \"float32\" or \"float64\""));
  CHECK(contains(refused([](Json& j) { j["lineage"] = "none"; }), "lineage: found \"none\""));
  CHECK(contains(refused([](Json& j) { j["run"] = 3; }), "run: found 3"));
  CHECK(contains(refused([](Json& j) { j["run"]["tokenizer"] = "words"; }),
                 "run.tokenizer: found 'words', expected 'bytes', 'dataset' or ''"));
}

TEST_CASE("a model that its architecture refuses, or that is not complete, is refused") {
  CHECK(contains(refused([](Json& j) { j["model"]["heads"] = 3; }), "model: "));
  CHECK(
      contains(refused([](Json& j) { j["model"]["ffn"] = 0; }), "expected every size written out"));
  CHECK(contains(refused([](Json& j) { j["model"]["architecture"] = "gpt9"; }), "gpt9"));
  CHECK(contains(refused([](Json& j) { j["model"]["layers"] = 70000; }), "model.layers"));
  CHECK(contains(refused([](Json& j) { j["lineage"][0]["model"]["heads"] = 3; }),
                 "lineage.0.model: "));
}

TEST_CASE("what is not JSON, or not an object, is refused") {
  for (const std::string text : {"", "{", "[]", "3", "null", "{}{}", "\xff"})
    test::refusal(ErrorKind::input, [&] { parse_metadata(text); });
  const std::string deep(100000, '[');
  test::refusal(ErrorKind::input, [&] { parse_metadata(deep); });
}
