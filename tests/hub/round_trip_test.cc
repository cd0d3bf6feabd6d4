// What is exported and imported again is the same model, in every format and architecture.
#include <filesystem>

#include "hub/export.h"
#include "hub/hub_models.h"
#include "hub/import.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/refused.h"
#include "support/temp_dir.h"
#include "support/text_file.h"

using namespace stagedtrain;
using hub::Element;
using hub::ExportFormat;
using hub::ExportOptions;
using state::TensorKind;
using test::contains;

namespace {

// Saved, exported, imported, loaded.
state::TrainingState round_trip(const state::TrainingState& original, const ExportOptions& options,
                                hub::ExportResult* result = nullptr) {
  const test::TempDir dir;
  state::save(dir / "a.h5", original);
  const hub::ExportResult written =
      hub::export_model(state::CheckpointReader(dir / "a.h5"), dir / "out", options);
  if (result) *result = written;
  hub::import_model(hub::open_foreign_model(dir / "out"), dir / "b.h5");
  return state::load(dir / "b.h5");
}

std::vector<arch::ModelConfig> models_of(ExportFormat format) {
  if (format == ExportFormat::llmc) return {test::small_gpt2()};
  std::vector<arch::ModelConfig> models{test::small_llama(true, 3), test::small_gpt2(),
                                        test::small_gpt2(false), test::small_scaled("linear")};
  for (const char* architecture : {"llama", "qwen2", "qwen3", "olmo2", "neox"})
    for (const bool tied : {true, false}) models.push_back(test::small_of(architecture, tied));
  models.push_back(test::small_scaled("llama3"));
  if (format == ExportFormat::gguf) {  // it has no parameters of this scaling but Llama 3.1's
    models.back().rope_low = arch::ModelConfig().rope_low;
    models.back().rope_high = arch::ModelConfig().rope_high;
    models.back().rope_original = arch::ModelConfig().rope_original;
  }
  models.push_back(test::small_of("qwen3", true, 3));
  models.push_back(test::small_of("olmoe", false, 3));
  return models;
}

}  // namespace

TEST_CASE("a model comes back bit by bit in f32, with fresh moments") {
  for (const ExportFormat format : {ExportFormat::hf, ExportFormat::gguf, ExportFormat::llmc})
    for (arch::ModelConfig model : models_of(format)) {
      INFO("format " << static_cast<int>(format) << ": " << describe(model));
      if (format == ExportFormat::gguf)  // it has no coefficient of the router's loss
        model.router_loss = arch::ModelConfig().router_loss;
      const state::TrainingState original = test::random_model(model);
      const state::TrainingState back = round_trip(original, {.format = format});
      CHECK(back.model == original.model);
      CHECK(test::weight_distance(back, original) == 0);
      CHECK(back.progress == state::Progress{});
      for (std::size_t i = 0; i < back.histories.size(); ++i) {
        CHECK(back.histories[i] == state::TensorHistory{});
        for (const TensorKind kind : {TensorKind::exp_avg, TensorKind::exp_avg_sq})
          for (std::int64_t j = 0; j < back.of(kind)[i].count(); ++j)
            REQUIRE(back.of(kind)[i].at(j) == 0);
      }
    }
}

TEST_CASE("tensors of several blocks come back, whatever the layout and the type of the state") {
  // Rows of 544 numbers lie across the blocks of 262,144 (f32) or 131,072 numbers (f64).
  struct Case {
    const char* architecture;
    ExportFormat format;  // with gpt2: transposed in hf; rotary in gguf, by_head in hf of neox
  };
  const auto dtype = GENERATE(state::DType::f32, state::DType::f64);
  for (const Case& c : {Case{"gpt2", ExportFormat::hf}, Case{"gpt2", ExportFormat::llmc},
                        Case{"llama", ExportFormat::gguf}, Case{"neox", ExportFormat::hf}}) {
    INFO(c.architecture << " " << static_cast<int>(c.format));
    arch::ModelConfig model;
    model.architecture = c.architecture;
    model.layers = 1;
    model.width = 544;
    model.heads = 8;
    model.vocab = 700;
    model.context = 16;
    model.ffn = 4 * 544;
    const state::TrainingState original = test::random_model(arch::resolved(model));
    state::TrainingState stored = state::fresh(original.model, 1, dtype);
    for (std::size_t i = 0; i < stored.of(TensorKind::weights).size(); ++i)
      for (std::int64_t j = 0; j < stored.of(TensorKind::weights)[i].count(); ++j)
        stored.of(TensorKind::weights)[i].set(j, original.of(TensorKind::weights)[i].at(j));
    CHECK(test::weight_distance(round_trip(stored, {.format = c.format}), original) == 0);
  }
}

TEST_CASE("an import in f64 holds the same numbers, in the type of a run in fp64") {
  const state::TrainingState original = test::random_model(test::small_llama());
  const test::TempDir dir;
  state::save(dir / "a.h5", original);
  hub::export_model(state::CheckpointReader(dir / "a.h5"), dir / "out", {});
  hub::import_model(hub::open_foreign_model(dir / "out"), dir / "b.h5", Replace::yes,
                    state::DType::f64);
  const state::TrainingState back = state::load(dir / "b.h5");
  CHECK(test::weight_distance(back, original) == 0);
  for (const TensorKind kind : {TensorKind::weights, TensorKind::exp_avg, TensorKind::exp_avg_sq})
    for (const state::HostTensor& tensor : back.of(kind))
      REQUIRE(tensor.dtype() == state::DType::f64);
}

TEST_CASE("rounded types come back within their precision, and what stays f32 exactly") {
  const state::TrainingState original = test::random_model(test::small_llama());
  struct Case {
    ExportFormat format;
    Element element;
    double most;
  };
  for (const Case& c : {Case{ExportFormat::hf, Element::bf16, 6e-3},
                        Case{ExportFormat::hf, Element::f16, 1e-3},
                        Case{ExportFormat::gguf, Element::f16, 1.3e-4},
                        Case{ExportFormat::gguf, Element::bf16, 1e-3},
                        Case{ExportFormat::gguf, Element::q8_0, 1.5e-3}}) {
    INFO(element_name(c.element));
    const state::TrainingState back =
        round_trip(original, {.format = c.format, .element = c.element});
    const double off = test::weight_distance(back, original);
    CHECK(off > 0);
    CHECK(off < c.most);
  }
}

TEST_CASE("shards hold every tensor once and are read together") {
  const state::TrainingState original = test::random_model(test::small_llama(false));
  hub::ExportResult result;
  const state::TrainingState back = round_trip(original, {.shard_bytes = 20000}, &result);
  CHECK(test::weight_distance(back, original) == 0);
  CHECK(result.files.size() > 5);
}

TEST_CASE("logit_scale goes into the final norm, and padded rows are left out") {
  state::TrainingState original = test::random_model(test::small_gpt2());
  original.model.logit_scale = 3;
  original.run.tokenizer = "bytes";
  const state::TrainingState back = round_trip(original, {});
  CHECK(back.model.logit_scale == 1);
  CHECK(back.model.vocab == 256);
  const arch::ParamTable table = arch::param_table(back.model);
  for (const char* name : {"final_norm.weight", "final_norm.bias"}) {
    const auto i = static_cast<std::size_t>(table.index(name));
    for (std::int64_t j = 0; j < 12; ++j)
      CHECK(back.of(TensorKind::weights)[i].at(j) ==
            static_cast<double>(static_cast<float>(3 * original.of(TensorKind::weights)[i].at(j))));
  }
  const auto embed = static_cast<std::size_t>(table.index("embed.token"));
  for (std::int64_t j = 0; j < 256 * 12; ++j)
    REQUIRE(back.of(TensorKind::weights)[embed].at(j) ==
            original.of(TensorKind::weights)[embed].at(j));
}

TEST_CASE("what a format cannot say is refused, and nothing is written") {
  const test::TempDir dir;
  const auto refused = [&](const arch::ModelConfig& model, const ExportOptions& options) {
    state::save(dir / "a.h5", test::random_model(arch::resolved(model)));
    const std::string says = test::refusal(ErrorKind::usage, [&] {
      hub::export_model(state::CheckpointReader(dir / "a.h5"), dir / "out", options);
    });
    std::filesystem::remove(dir / "a.h5");
    CHECK(std::filesystem::is_empty(dir.path()));
    return says;
  };
  arch::ModelConfig model = test::small_llama();
  CHECK(contains(refused(model, {.format = ExportFormat::llmc}), "llm.c supports only gpt2"));
  CHECK(contains(refused(model, {.element = Element::q8_0}), "q8_0"));
  model.value_dim = 5;
  CHECK(contains(refused(model, {}), "model.value_dim is 5"));
  for (const char* architecture : {"gpt2", "qwen2", "olmo2", "neox"}) {
    model = architecture == std::string("gpt2") ? test::small_gpt2() : test::small_of(architecture);
    model.experts = 2;
    CHECK(contains(refused(model, {}), "model.experts is 2"));
    CHECK(contains(refused(model, {.format = ExportFormat::gguf}), "model.experts is 2"));
  }
  model = test::small_scaled("llama3");
  model.architecture = "qwen2";
  CHECK(contains(refused(model, {.format = ExportFormat::gguf}), "rope_scaling is llama3"));
}

TEST_CASE("a folder or file that is there is replaced only by force, other folders never") {
  const test::TempDir dir;
  state::save(dir / "a.h5", test::random_model(test::small_gpt2()));
  const state::CheckpointReader reader(dir / "a.h5");
  for (const ExportFormat format : {ExportFormat::hf, ExportFormat::gguf}) {
    const Path out = dir / (format == ExportFormat::hf ? "hf" : "gguf");
    hub::export_model(reader, out, {.format = format});
    CHECK(contains(test::refusal(ErrorKind::usage,
                                 [&] { hub::export_model(reader, out, {.format = format}); }),
                   "exists already"));
    hub::export_model(reader, out, {.format = format, .force = true});
    hub::open_foreign_model(out);
  }
  test::write_text((dir / "hf") / "thesis.tex", "irreplaceable");
  CHECK(contains(test::refusal(ErrorKind::usage,
                               [&] { hub::export_model(reader, dir / "hf", {.force = true}); }),
                 "thesis.tex"));
  CHECK(test::read_text((dir / "hf") / "thesis.tex") == "irreplaceable");
}
