// Reads and writes predictions as JSON.
#include "runlog/prediction.h"

#include <cmath>

#include "text/json.h"

namespace stagedtrain::runlog {
namespace {

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json to_json(const PredictedNumber& f) {
  return {{"value", number(f.value)},
          {"low", number(f.low)},
          {"high", number(f.high)},
          {"widened", f.widened}};
}

PredictedNumber read_number(const JsonReader& json) {
  return {json.number("value"), json.number("low"), json.number("high"),
          json.maybe("widened").value_or(1)};
}

}  // namespace

Json to_json(const Prediction& p) {
  return {{"law", p.law},
          {"assumption", p.assumption},
          {"loss", to_json(p.loss)},
          {"saving", to_json(p.saving)},
          {"seconds", to_json(p.seconds)},
          {"why_not", p.why_not.empty() ? Json(nullptr) : Json(p.why_not)}};
}

Prediction read_prediction(const JsonReader& json) {
  Prediction prediction;
  if (!json.has("loss")) return prediction;
  prediction.law = json.text("law");
  prediction.assumption = json.text("assumption");
  prediction.loss = read_number(json.object("loss"));
  prediction.saving = read_number(json.object("saving"));
  prediction.seconds = read_number(json.object("seconds"));
  prediction.why_not = json.text("why_not");
  return prediction;
}

}  // namespace stagedtrain::runlog
