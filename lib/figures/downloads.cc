// Makes CSV, stand-alone SVG and the data: links that save them.
#include "figures/downloads.h"

#include <fmt/format.h>

#include <cmath>

#include "figures/style.h"
#include "figures/table.h"

namespace stagedtrain::report {
namespace {

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

// Quotes a CSV cell and keeps it on one line.
std::string cell(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  return result + "\"";
}

void add_rows(const std::string& series, const std::vector<XY>& points,
              const std::vector<double>& errors, std::string& csv) {
  if (series.empty()) return;
  for (std::size_t i = 0; i < points.size(); ++i) {
    csv += fmt::format("{},{:.10g},{:.10g},", cell(series), points[i].x, points[i].y);
    if (i < errors.size() && std::isfinite(errors[i])) csv += fmt::format("{:.6g}", errors[i]);
    csv += "\n";
  }
}

// Turns a title into a file name: "Loss against FLOPs" becomes "loss-against-flops".
std::string file_name(const std::string& title) {
  std::string name;
  for (const char c : title) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      name += c;
    } else if (c >= 'A' && c <= 'Z') {
      name += static_cast<char>(c - 'A' + 'a');
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "figure" : name;
}

std::string link(const std::string& name, const std::string& ending, const char* type,
                 const std::string& bytes, const std::string& what) {
  return fmt::format("<a download=\"{}.{}\" href=\"data:{};base64,{}\">{}</a>", name, ending, type,
                     base64(bytes), what);
}

}  // namespace

std::string to_csv(const Figure& figure) {
  std::string csv =
      fmt::format("series,{},{},standard error\n", cell(figure.x.title), cell(figure.y.title));
  for (const Line& line : figure.lines) add_rows(line.series, line.points, {}, csv);
  for (const Points& points : figure.points)
    add_rows(points.series, points.points, points.errors, csv);
  return csv;
}

std::string standalone_svg(const std::string& svg) {
  std::string text = inline_svg(svg, "", "");
  for (const Colour colour : all_colours()) {
    const std::string name = "var(" + variable(colour) + ")", value = light_value(colour);
    for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at))
      text.replace(at, name.size(), value);
  }
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + text;
}

std::string download_links(const Figure& figure, const std::string& svg) {
  const std::string name = file_name(figure.title);
  std::string links = link(name, "svg", "image/svg+xml", standalone_svg(svg), "picture (SVG)") +
                      " · " +
                      link(name, "csv", "text/csv;charset=utf-8", to_csv(figure), "numbers (CSV)");
  return "<p class=\"downloads\">Save: " + links + "</p>";
}

}  // namespace stagedtrain::report
