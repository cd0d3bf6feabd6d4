// Writes figures as gnuplot scripts.
#include "figures/figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "figures/placement.h"

namespace stagedtrain::report {
namespace {

// gnuplot draws with one placeholder colour per page colour: red and green are 1, blue counts up
// from kFirstBlue. inline_svg() replaces them with variables.
constexpr int kFirstBlue = 16;
constexpr double kArrowHead = 11;  // pixels

int code(Colour colour) {
  const std::vector<Colour> all = all_colours();
  const auto found = std::ranges::find_if(all, [&](Colour other) {
    return other.ink == colour.ink && other.shade == colour.shade % kStagedShades;
  });
  return kFirstBlue + static_cast<int>(found - all.begin());
}

std::string rgb(Colour colour) { return fmt::format("rgb '#0101{:02x}'", code(colour)); }

// Quotes a text for gnuplot, which expands nothing in single quotes. Control characters become
// spaces.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) {
    if (c == '\'') result += '\'';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c == '`' ? '\'' : c;
    if (c == '`') result += '\'';
  }
  return result + "'";
}

// gnuplot reads the text of a tick as a format.
std::string tick_text(const std::string& text) {
  std::string result;
  for (const char c : text) result += c == '%' ? std::string("%%") : std::string(1, c);
  return result;
}

std::string axis_script(char name, const Axis& axis, double pixels) {
  std::string script = fmt::format("set {}range [{}:{}]\n", name, axis.low, axis.high);
  if (axis.log) script += fmt::format("set logscale {}\n", name);
  script +=
      fmt::format("set {}label {}{} textcolor {}\nset {}tics scale 0.5 nomirror (", name,
                  quoted(axis.title), name == 'x' ? " offset 0,0.7" : "", rgb({Ink::muted}), name);
  const std::vector<Tick> ticks = thinned_ticks(axis, pixels, name == 'y');
  for (std::size_t i = 0; i < ticks.size(); ++i)
    script += fmt::format("{}{} {}", i ? ", " : "", quoted(tick_text(ticks[i].text)), ticks[i].at);
  return script + fmt::format(") textcolor {}\n", rgb({Ink::muted}));
}

// Fixes the frame, so that labels can be placed in pixels.
std::string margins_script(const Figure& figure, const Frame& frame) {
  return fmt::format(
      "set lmargin at screen {}\nset rmargin at screen {}\nset tmargin at screen {}\n"
      "set bmargin at screen {}\n",
      frame.left / figure.width, frame.right / figure.width, 1 - frame.top / figure.height,
      1 - frame.bottom / figure.height);
}

std::string label_script(const PlacedLabel& label, const Figure& figure) {
  const char* aligns[] = {"left", "center", "right"};
  return fmt::format("set label {} at screen {}, screen {} {} front textcolor {}\n",
                     quoted(label.text), label.x / figure.width, 1 - label.y / figure.height,
                     aligns[static_cast<int>(label.align)], rgb(label.colour));
}

// Draws an arrow whose head has the same size in small and large figures, and a smaller one on
// short arrows. An arrow too short for any head is not drawn: its two ends touch.
std::string arrow_script(const Arrow& arrow, const Figure& figure, const Frame& frame) {
  const double dx = (share_of(figure.x, arrow.to.x) - share_of(figure.x, arrow.from.x)) *
                    (frame.right - frame.left);
  const double dy = (share_of(figure.y, arrow.to.y) - share_of(figure.y, arrow.from.y)) *
                    (frame.bottom - frame.top);
  const double length = std::hypot(dx, dy), head = std::min(kArrowHead, length / 2);
  if (!(head >= 2)) return "";
  return fmt::format(
      "set arrow from first {}, first {} to first {}, first {} {} filled size screen {:.5f},18 "
      "front linewidth 1.5 linecolor {}\n",
      arrow.from.x, arrow.from.y, arrow.to.x, arrow.to.y, arrow.both_heads ? "heads" : "head",
      head / figure.width, rgb(arrow.colour));
}

std::string data_block(const std::string& name, const std::vector<XY>& points) {
  std::string script = "$" + name + " << END\n";
  for (const XY& point : points) script += fmt::format("{} {}\n", point.x, point.y);
  return script + "END\n";
}

std::string area_clause(const Area& area, const std::string& data) {
  return fmt::format("${} with filledcurves closed fillstyle solid 1.0 noborder fillcolor {}", data,
                     rgb(area.colour));
}

std::string line_clause(const Line& line, const std::string& data) {
  return fmt::format("${} with lines linecolor {} linewidth {} dashtype {}", data, rgb(line.colour),
                     line.width, line.dashed ? "(6,5)" : "1");
}

// Bars from value - error to value + error. Points without an error have no bar.
std::string bars_block(const std::string& name, const Points& points) {
  std::string script = "$" + name + " << END\n";
  for (std::size_t i = 0; i < points.points.size() && i < points.errors.size(); ++i) {
    const auto [x, y] = points.points[i];
    const double error = points.errors[i];
    if (error > 0) script += fmt::format("{0} {1}\n{0} {2}\n\n", x, y - error, y + error);
  }
  return script + "END\n";
}

bool has_bars(const Points& points) {
  return std::ranges::any_of(points.errors, [](double error) { return error > 0; });
}

std::string points_clause(const Points& points, const std::string& data) {
  const int types[] = {7, 6, 9};
  return fmt::format("${} with points linecolor {} pointtype {} pointsize {}", data,
                     rgb(points.colour), types[static_cast<int>(points.shape)], points.size);
}

std::string fixed(double value, double step) {
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  const double shown = std::abs(value) < 1e-6 * step ? 0 : value;  // avoids -0
  return fmt::format("{:.{}f}", shown, std::min(digits, 12));
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

std::string variable(Colour colour) {
  static constexpr const char* names[] = {"--ink",          "--muted",  "--grid",
                                          "--paper",        "--good",   "--scratch",
                                          "--scratch-soft", "--staged", "--staged-soft"};
  const std::string name = names[static_cast<int>(colour.ink)];
  return colour.ink < Ink::staged ? name : fmt::format("{}-{}", name, colour.shade % kStagedShades);
}

std::vector<Colour> all_colours() {
  std::vector<Colour> all;
  for (int ink = 0; ink <= static_cast<int>(Ink::staged_soft); ++ink)
    for (int shade = 0; shade < (static_cast<Ink>(ink) < Ink::staged ? 1 : kStagedShades); ++shade)
      all.push_back({static_cast<Ink>(ink), shade});
  return all;
}

std::vector<Tick> linear_ticks(double low, double high, int count) {
  if (!(high > low)) return {};
  const double rough = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * 0.999) step = factor * power;
  std::vector<Tick> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; ++i)
    ticks.push_back({i * step, fixed(i * step, step)});
  return ticks;
}

std::vector<Tick> log_ticks(double low, double high) {
  const std::vector<std::vector<double>> sets{{1}, {1, 3}, {1, 2, 5}, {1, 1.5, 2, 3, 4, 5, 7}};
  for (const std::vector<double>& mantissas : sets) {
    std::vector<Tick> ticks;
    for (double exponent = std::floor(std::log10(low)); exponent <= std::log10(high); ++exponent)
      for (double mantissa : mantissas)
        if (const double at = mantissa * std::pow(10.0, exponent); at >= low && at <= high)
          ticks.push_back({at, fmt::format("{:.6g}", at)});
    if (ticks.size() >= 4) return ticks;
  }
  return linear_ticks(low, high, 5);
}

std::string gnuplot_script(const Figure& figure, const std::string& svg) {
  std::string script = fmt::format(
      "reset\nset encoding utf8\nset terminal svg size {},{} dynamic noenhanced rounded font "
      "'sans-serif,13'\n"
      "set output {}\nunset key\nset border 3 linecolor {}\nset grid linecolor {} "
      "linewidth 1 "
      "dashtype 1\n",
      figure.width, figure.height, quoted(svg), rgb({Ink::muted}), rgb({Ink::grid}));
  const Frame frame = frame_of(figure);
  script += margins_script(figure, frame) + axis_script('x', figure.x, frame.right - frame.left) +
            axis_script('y', figure.y, frame.bottom - frame.top);
  for (const Arrow& arrow : figure.arrows) script += arrow_script(arrow, figure, frame);
  for (const PlacedLabel& label : place_labels(figure)) script += label_script(label, figure);
  std::string clauses = "NaN";  // draws nothing, because a figure may be empty
  int num_blocks = 0;
  const auto add = [&](const std::vector<XY>& points, auto clause) {
    if (points.empty()) return;
    const std::string name = fmt::format("d{}", num_blocks++);
    script += data_block(name, points);
    clauses += ", " + clause(name);
  };
  for (const Area& area : figure.areas)
    add(area.outline, [&](const std::string& name) { return area_clause(area, name); });
  for (const Line& line : figure.lines)
    add(line.points, [&](const std::string& name) { return line_clause(line, name); });
  for (const Points& points : figure.points) {
    if (has_bars(points)) {
      const std::string name = fmt::format("d{}", num_blocks++);
      script += bars_block(name, points);
      clauses += ", " + line_clause({.points = {}, .colour = points.colour, .width = 2.5}, name);
    }
    add(points.points, [&](const std::string& name) { return points_clause(points, name); });
  }
  return script + "plot " + clauses + "\nunset output\n";
}

std::string inline_svg(const std::string& svg, const std::string& prefix, const std::string& alt) {
  std::string text = svg.substr(std::min(svg.find("<svg"), svg.size()));
  for (const char* part : {"<title>", "<desc>"}) {  // tool tips without content
    const std::string close = std::string("</") + (part + 1);
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at))
      text.erase(at, std::min(text.find(close, at), text.size()) + close.size() - at);
  }
  replace_all(text, "id='gp", "id='" + prefix + "gp");
  replace_all(text, "href='#gp", "href='#" + prefix + "gp");
  replace_all(text, "id=\"gnuplot", "id=\"" + prefix + "gnuplot");
  for (const char* filter : {"id='textbox'", "id='greybox'"})
    replace_all(text, filter, "id='" + prefix + (filter + 4));
  for (Colour colour : all_colours()) {
    const std::string value = "var(" + variable(colour) + ")";
    replace_all(text, fmt::format("rgb(  1,   1, {:3})", code(colour)), value);
    replace_all(text, fmt::format("rgb(1,1,{})", code(colour)), value);
  }
  replace_all(text, "color='white'", "color='var(--paper)'");
  return text.insert(std::min<std::size_t>(4, text.size()),
                     " role=\"img\" aria-label=\"" + alt + "\"");
}

}  // namespace stagedtrain::report
