// Text that a run samples while it trains: which, when, and that training does not notice.
#include "scoring/samples.h"

#include <map>

#include "eval/sample.h"
#include "eval/sample_text.h"
#include "faulty_run.h"
#include "support/catch.h"
#include "text/json.h"

using namespace stagedtrain;
using test::contains;
using test::Edits;

namespace {

const std::string kSample = "sample={every: 5, prompts: ['the light', ''], tokens: 12}";

void forget_seconds(std::vector<Json>& samples) {
  for (Json& sample : samples)
    for (const char* key : {"seconds", "sample_seconds"}) sample.erase(key);
}

std::vector<Json> samples_of(const test::TinyRun& tiny) {
  std::vector<Json> samples = test::events(tiny, "sample");
  forget_seconds(samples);
  return samples;
}

}  // namespace

TEST_CASE("samples are written when due and at the ends of stages, and training stays the same") {
  const test::TinyRun tiny;
  const Edits dropout = {"dropout=0.2"};
  test::run_in(tiny, "whole", dropout);
  test::run_in(tiny, "run", {"dropout=0.2", kSample});
  CHECK(test::same_end(tiny));
  const std::vector<Json> samples = samples_of(tiny);
  std::vector<std::int64_t> steps;
  for (const Json& sample : samples) {
    steps.push_back(sample["step"].get<std::int64_t>());
    REQUIRE(sample["samples"].size() == 2);
    CHECK(sample["samples"][0]["prompt"] == "the light");
    CHECK(sample["samples"][1]["prompt"] == "");
    for (const Json& one : sample["samples"]) CHECK_FALSE(one["text"].get<std::string>().empty());
  }
  CHECK(steps == std::vector<std::int64_t>{5, 6, 10, 12});
}

TEST_CASE("a sample is what eval would write of the same state with the seed of the run") {
  const test::TinyRun tiny;
  test::run_in(tiny, "run", {kSample, "sample.temperature=0.5", "sample.top_k=9"});
  train::DeviceState live = train::load_live(tiny / "run/stages/full.h5", {});
  train::SampleText text(data::Tokenizer::from_spec("bytes", "test"), 256);
  std::string added;
  eval::sample(*live.model, text.begin("the light"), {12, 0.5, 9, 3},
               [&](std::int64_t id) { added += text.add(id); });
  // Bytes that are not UTF-8 are written to the log as \xff.
  const Json written = parse_json(json_text(Json(added), -1), "the sample");
  CHECK(samples_of(tiny).back()["samples"][0]["text"] == written);
}

TEST_CASE("a run that was stopped and resumed writes the same samples") {
  const test::TinyRun tiny;
  test::run_in(tiny, "run", {kSample});
  const std::vector<Json> whole = samples_of(tiny);
  std::filesystem::rename(tiny / "run", tiny / "whole");
  const int line = GENERATE(4, 7, 8, 9, 10, 14, 17);
  CAPTURE(line);
  test::run_until_line(tiny, line, {kSample});
  CHECK(test::run_in(tiny, "run", {kSample}).done);
  CHECK(test::same_end(tiny));
  std::map<std::int64_t, Json> resumed, expected;  // a later line replaces an earlier one
  for (const Json& sample : samples_of(tiny)) resumed[sample["step"].get<std::int64_t>()] = sample;
  for (const Json& sample : whole) expected[sample["step"].get<std::int64_t>()] = sample;
  CHECK(resumed == expected);
}

TEST_CASE("samples without a tokenizer are refused before anything is written") {
  const test::TinyRun tiny;
  const std::string raw = (tiny / "raw.bin").string();
  std::string ids;
  for (const char c : test::made_up_text(2000)) ids += std::string{c, '\0'};
  test::write_text(raw, ids);
  const Edits edits = {kSample, "data.train=" + raw, "data.validation=" + raw};
  const std::string said =
      test::refusal(ErrorKind::usage, [&] { test::run_in(tiny, "run", edits); });
  CHECK(contains(said, "raw.bin do not record their tokenizer"));
  CHECK(contains(said, "remove sample"));
  CHECK_FALSE(std::filesystem::exists(tiny / "run"));
}

TEST_CASE("a prompt that the vocabulary does not have is named by its key") {
  train::SampleText text(data::Tokenizer::from_spec("bytes", "test"), 100, "sample.prompts.1");
  CHECK(contains(test::refusal(ErrorKind::usage, [&] { text.begin("light"); }),
                 "sample.prompts.1: found the token id"));
}
